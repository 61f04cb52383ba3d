using System.Text.Json;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// The first read of an organization that is not active, by a process that is warm: a list of 50 on a connection that is open. For
/// Silo that is lease, restore from the bucket and the rest; for the floor, opening a file that is there.
/// </summary>
internal sealed class ColdReads(BenchmarkRun run)
{
    private const int Organizations = 20;
    private const string Rest = "first row and HTTP";

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var count = run.Settings.Organizations ?? Organizations;
        await new Seeding(run).EnsureAsync(count, cancellationToken);

        Latencies? floorReads = null;
        if (!run.Settings.WithoutFloor)
        {
            await using var floor = await run.StartFloorAsync(cancellationToken);
            run.Say("cold reads, floor");
            floorReads = new Latencies((await MeasureAsync(floor, count, 0, cancellationToken)).Select(read => read.Milliseconds));
        }
        await using var silo = await run.StartSiloAsync(cancellationToken);
        await MeasureAsync(silo, "cold first read", count, 0, floorReads, [Limit.AtMost(150), Limit.AtMost(400)], cancellationToken);
        if (run.Settings.LatencyMs is > 0 and var latency)
            await MeasureAsync(silo, $"cold first read, {latency} ms added to every bucket request", count, latency, floorReads, [Limit.AtMost(800)], cancellationToken);
    }

    private async Task MeasureAsync(
        ServedProcess silo, string name, int count, int latencyMs, Latencies? floor, Limit[] limits, CancellationToken cancellationToken)
    {
        run.Say($"{name}, {count} organizations");
        var use = ProcessorUse.Of(silo.Pid);
        var reads = await MeasureAsync(silo, count, latencyMs, cancellationToken);
        var share = use.End();
        var all = new Latencies(reads.Select(read => read.Milliseconds));
        var measurement = new Measurement(name, "ms") { OtherCores = share.OtherCores + share.StealCores }
            .With("p50", all.Median, floor?.Median, limits[0])
            .With("p99", all.Percentile(99), floor?.Percentile(99), limits.Length > 1 ? limits[1] : null)
            .With("max", all.Max, floor?.Max)
            .With("number of reads", all.Count, floor?.Count);
        foreach (var phase in reads.SelectMany(read => read.Phases.Keys).Distinct())
            measurement.With($"{phase}, p50", new Latencies(reads.Select(read => read.Phases.GetValueOrDefault(phase))).Median);
        run.Report.Add(measurement);
    }

    private async Task<List<ColdRead>> MeasureAsync(ServedProcess server, int count, int latencyMs, CancellationToken cancellationToken)
    {
        using var calls = new OperatorCalls(server, run.Tokens);
        await calls.DelayBucketAsync(latencyMs, cancellationToken);
        var reads = new List<ColdRead>();
        // The first round is not counted: it compiles the server's code.
        for (var round = 0; round <= run.Settings.Rounds; round++)
        {
            await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = cancellationToken },
                async (i, token) => await calls.DeactivateAsync(SeedPlan.Organization(i), token));
            for (var i = 0; i < count; i++)
            {
                var read = await ReadAsync(server, calls, SeedPlan.Organization(i), cancellationToken);
                if (round > 0) reads.Add(read);
            }
        }
        await calls.DelayBucketAsync(0, cancellationToken);
        return reads;
    }

    private async Task<ColdRead> ReadAsync(ServedProcess server, OperatorCalls calls, string organization, CancellationToken cancellationToken)
    {
        using var connection = new LoadConnection(server.Url);
        var list = new ContactRequests(server.Url, run.Tokens.Member(organization)).List(50);
        var milliseconds = connection.Exchange(list).TotalMilliseconds;
        if (!connection.Answer.IsSuccess) throw new BenchmarkException($"The first read of {organization} was refused:\n{connection.Answer}");
        using (var page = JsonDocument.Parse(connection.Answer.Body()))
        {
            if (page.RootElement.GetProperty("items").GetArrayLength() != Math.Min(50, run.Settings.Contacts))
                throw new BenchmarkException($"The first read of {organization} was short.");
        }
        var status = await calls.StatusAsync(organization, cancellationToken) ?? throw new BenchmarkException($"{organization} is not active after a read.");
        var phases = status.GetProperty("activationMs").EnumerateObject().ToDictionary(phase => phase.Name, phase => phase.Value.GetDouble());
        if (phases.Count > 0) phases[Rest] = Math.Max(0, milliseconds - phases.Values.Sum());
        // What goes on after the answer (the first snapshot) belongs to this organization and must not slow the next one.
        await calls.WaitReplicatedAsync(organization, cancellationToken);
        return new ColdRead(milliseconds, phases);
    }

    private sealed record ColdRead(double Milliseconds, Dictionary<string, double> Phases);
}
