using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// What an active organization takes while nothing or little is asked of it: memory of all processes of the server, children
/// included, less what they took with a single active organization, divided by the others; and CPU.
/// </summary>
internal sealed class ActiveOrganizations(BenchmarkRun run)
{
    private const int Organizations = 300;
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    /// <summary>Go collects every two minutes by itself, and lets go of what its pools held at the second time.</summary>
    private static readonly TimeSpan Collected = TimeSpan.FromMinutes(4.5);

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan WriteWarmUp = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Write = TimeSpan.FromSeconds(30);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var count = run.Settings.Organizations ?? Organizations;
        var written = Math.Min(count, run.Settings.Written);
        await new Seeding(run).EnsureAsync(count, cancellationToken);
        var floor = run.Settings.WithoutFloor ? null : await MeasureAsync(run.StartFloorAsync, count, written, cancellationToken);
        var silo = await MeasureAsync(token => run.StartSiloAsync(token), count, written, cancellationToken);

        Report($"memory per active organization, {count} seconds after a read", silo.Read.Soon, floor?.Read.Soon, null);
        Report($"memory per active organization, {count} only read, {Collected.TotalMinutes} min idle", silo.Read.Later, floor?.Read.Later, Limit.AtMost(12));
        Report($"memory per active organization, {count} seconds after a write each", silo.Written.Soon, floor?.Written.Soon, null);
        Report($"memory per active organization, {count} written, {Collected.TotalMinutes} min idle", silo.Written.Later, floor?.Written.Later, Limit.AtMost(20));
        run.Report.Add(new Measurement($"idle CPU with {count} active organizations, {Idle.TotalSeconds:0} s", "% of a core") { OtherCores = silo.IdleShare.OtherCores + silo.IdleShare.StealCores }
            .With("only read", 100 * silo.IdleShare.Cores, 100 * floor?.IdleShare.Cores, Limit.AtMost(40)));
        if (silo.Busy is not { } busy) return;
        var below = floor?.Busy;
        run.Report.Add(new Measurement($"{written} organizations written once a second each, {Write.TotalSeconds:0} s", "") { OtherCores = busy.Share.OtherCores + busy.Share.StealCores }
            .With("MB per organization, mean", busy.MeanMb, below?.MeanMb)
            .With("MB per organization, peak", busy.PeakMb, below?.PeakMb, Limit.AtMost(45))
            .With("MB of it Litestream, at the end", busy.End.LitestreamMb, null)
            .With("CPU ms per write", busy.CpuPerWrite, below?.CpuPerWrite)
            .With("% of a core", 100 * busy.Share.Cores, 100 * below?.Share.Cores)
            .With("write p50 ms", busy.Latency.Median, below?.Latency.Median)
            .With("write p99 ms", busy.Latency.Percentile(99), below?.Latency.Percentile(99)));
    }

    private void Report(string name, OrganizationMemory silo, OrganizationMemory? floor, Limit? limit) => run.Report.Add(new Measurement(name, "MB")
        .With("per organization", silo.PerOrganizationMb, floor?.PerOrganizationMb, limit)
        .With("of it the server itself", silo.ServerMb, floor?.ServerMb)
        .With("of it Litestream", silo.LitestreamMb)
        .With("of it tethers", silo.TetherMb)
        .With("total", silo.TotalMb, floor?.TotalMb)
        .With("number of processes", silo.Processes, floor?.Processes));

    private async Task<Found> MeasureAsync(Func<CancellationToken, Task<ServedProcess>> start, int count, int written, CancellationToken cancellationToken)
    {
        IdleMemory read, idle;
        ProcessorShare idleShare;
        await using (var server = await start(cancellationToken))
        {
            var members = new ActiveMembers(server, run);
            var one = await FirstAsync(server, members, cancellationToken);
            run.Say($"{server.Name}: activating {count} organizations");
            await members.ReadAsync(1, count, cancellationToken);
            read = await IdleAsync(server, count, one, cancellationToken);
            var use = ProcessorUse.Of(server.Pid);
            await WaitAsync(Idle, cancellationToken);
            idleShare = use.End();
            run.Say($"{server.Name}: {read.Later}, {100 * idleShare.Cores:0}% of a core; now a write each");
            await members.WriteAsync(0, count, cancellationToken);
            idle = await IdleAsync(server, count, one, cancellationToken);
        }
        if (written < 2) return new Found(read, idle, idleShare, null);
        await using (var server = await start(cancellationToken))
        {
            var members = new ActiveMembers(server, run);
            var one = await FirstAsync(server, members, cancellationToken);
            await members.ReadAsync(1, written, cancellationToken);
            run.Say($"{server.Name}: {idle.Later}; now {written} organizations written once a second");
            return new Found(read, idle, idleShare, await WrittenAsync(server, members, one, written, cancellationToken));
        }
    }

    private static async Task<IdleMemory> IdleAsync(ServedProcess server, int count, OrganizationMemory one, CancellationToken cancellationToken)
    {
        await WaitAsync(Settle, cancellationToken);
        var soon = OrganizationMemory.Read(server.Pid, count, one);
        await WaitAsync(Collected, cancellationToken);
        return new IdleMemory(soon, OrganizationMemory.Read(server.Pid, count, one));
    }

    /// <summary>The server with one active organization, after enough requests to have compiled its code.</summary>
    private static async Task<OrganizationMemory> FirstAsync(ServedProcess server, ActiveMembers members, CancellationToken cancellationToken)
    {
        for (var i = 0; i < 200; i++) await members.ReadAsync(0, 1, cancellationToken);
        await WaitAsync(Settle, cancellationToken);
        var one = OrganizationMemory.Read(server.Pid, 1, null);
        // The server, and one Litestream with its tether.
        return one.Processes <= 3 ? one : throw new BenchmarkException($"{server.Name} has {one.Processes} processes although a single organization should be active.");
    }

    private static async Task<WrittenMemory> WrittenAsync(ServedProcess server, ActiveMembers members, OrganizationMemory one, int written, CancellationToken cancellationToken)
    {
        await members.WriteEachSecondAsync(written, WriteWarmUp, cancellationToken);
        using var sampling = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var samples = SampleAsync(server.Pid, written, one, sampling.Token);
        var use = ProcessorUse.Of(server.Pid);
        var latencies = await members.WriteEachSecondAsync(written, Write, cancellationToken);
        var share = use.End();
        var end = OrganizationMemory.Read(server.Pid, written, one);
        await sampling.CancelAsync();
        var memory = (await samples).Append(end).Select(sample => sample.PerOrganizationMb).ToList();
        return new WrittenMemory(memory.Average(), memory.Max(), end, share, latencies, share.Time.TotalMilliseconds / latencies.Count);
    }

    private static async Task<List<OrganizationMemory>> SampleAsync(int pid, int count, OrganizationMemory one, CancellationToken cancellationToken)
    {
        var samples = new List<OrganizationMemory>();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) samples.Add(OrganizationMemory.Read(pid, count, one));
        }
        catch (OperationCanceledException)
        {
            // that is how it ends
        }
        return samples;
    }

    private static async Task WaitAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(time, TimeProvider.System);
        await timer.WaitForNextTickAsync(cancellationToken);
    }

    private sealed record Found(IdleMemory Read, IdleMemory Written, ProcessorShare IdleShare, WrittenMemory? Busy);

    private sealed record IdleMemory(OrganizationMemory Soon, OrganizationMemory Later);

    private sealed record WrittenMemory(double MeanMb, double PeakMb, OrganizationMemory End, ProcessorShare Share, Latencies Latency, double CpuPerWrite);
}
