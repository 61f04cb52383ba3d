using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// Writes that are answered when the bucket has them, with a latency added to every bucket request: one client alone, and many
/// on one organization, who share uploads. And what the shorter intervals of such an organization cost beside a local one.
/// </summary>
internal sealed class ReplicatedWrites(BenchmarkRun run)
{
    private const int Clients = 64;
    private const int IdleOrganizations = 20;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(30);

    private uint _seed = 31;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var silo = await run.StartSiloAsync(cancellationToken);
        using var calls = new OperatorCalls(silo, run.Tokens);
        foreach (var durability in (string[])["local", "replicated"]) await MeasureIdleAsync(silo, calls, durability, cancellationToken);

        const string Organization = "replicated-written";
        await calls.CreateOrganizationAsync(Organization, cancellationToken, "replicated");
        await calls.DelayBucketAsync(run.Settings.LatencyMs, cancellationToken);
        await LoadAsync(silo, Organization, 1, WarmUp, cancellationToken);
        await MeasureAsync(silo, calls, Organization, 1, [Limit.AtMost(250), Limit.AtMost(600)], null, cancellationToken);
        await MeasureAsync(silo, calls, Organization, Clients, [null, null], Limit.AtLeast(300), cancellationToken);
        await calls.DelayBucketAsync(0, cancellationToken);
    }

    private async Task MeasureAsync(
        ServedProcess silo, OperatorCalls calls, string organization, int clients, Limit?[] latency, Limit? rate, CancellationToken cancellationToken)
    {
        var name = $"replicated insert, {clients} clients on one organization, {run.Settings.LatencyMs} ms added to every bucket request";
        run.Say(name);
        var (use, cost) = (ProcessorUse.Of(silo.Pid), await Cost.ReadAsync(silo, calls, cancellationToken));
        var result = await LoadAsync(silo, organization, clients, TimeSpan.FromSeconds(run.Settings.Seconds * run.Settings.Rounds), cancellationToken);
        var (share, spent) = (use.End(), (await Cost.ReadAsync(silo, calls, cancellationToken)).Since(cost));
        run.Report.Add(new Measurement(name, "") { OtherCores = share.OtherCores + share.StealCores }
            .With("p50 ms", result.Latencies.Median, null, latency[0])
            .With("p99 ms", result.Latencies.Percentile(99), null, latency[1])
            .With("writes/s", result.Rate, null, rate)
            .With("bucket requests per minute", spent.Requests / result.Elapsed.TotalMinutes)
            .With("bucket requests per write", (double)spent.Requests / result.Requests)
            .With("Litestream's CPU s per minute", spent.Cpu.TotalSeconds / result.Elapsed.TotalMinutes)
            .With("all CPU s per minute", share.Time.TotalSeconds / result.Elapsed.TotalMinutes));
    }

    private async Task MeasureIdleAsync(ServedProcess silo, OperatorCalls calls, string durability, CancellationToken cancellationToken)
    {
        run.Say($"{IdleOrganizations} {durability} organizations, idle");
        for (var i = 0; i < IdleOrganizations; i++)
        {
            var organization = $"{durability}-idle-{i:00}";
            await calls.CreateOrganizationAsync(organization, cancellationToken, durability);
            await WriteOnceAsync(silo, organization, cancellationToken);
        }
        var (use, cost, begun) = (ProcessorUse.Of(silo.Pid), await Cost.ReadAsync(silo, calls, cancellationToken), TimeProvider.System.GetTimestamp());
        using (var timer = new PeriodicTimer(Idle, TimeProvider.System)) await timer.WaitForNextTickAsync(cancellationToken);
        var (share, spent) = (use.End(), (await Cost.ReadAsync(silo, calls, cancellationToken)).Since(cost));
        var minutes = TimeProvider.System.GetElapsedTime(begun).TotalMinutes * IdleOrganizations;
        run.Report.Add(new Measurement($"{durability} organization, idle after a write", "") { OtherCores = share.OtherCores + share.StealCores }
            .With("bucket requests per minute", spent.Requests / minutes)
            .With("Litestream's CPU s per minute", spent.Cpu.TotalSeconds / minutes));
        for (var i = 0; i < IdleOrganizations; i++) await calls.DeactivateAsync($"{durability}-idle-{i:00}", cancellationToken);
    }

    private async Task WriteOnceAsync(ServedProcess silo, string organization, CancellationToken cancellationToken)
    {
        using var connection = new LoadConnection(silo.Url);
        var insert = new ContactRequests(silo.Url, run.Tokens.Member(organization)).Insert(new ContactSamples(++_seed).Next(organization));
        connection.Exchange(insert);
        if (!connection.Answer.IsSuccess) throw new BenchmarkException($"A write was refused:\n{connection.Answer}");
        using var calls = new OperatorCalls(silo, run.Tokens);
        await calls.WaitReplicatedAsync(organization, cancellationToken);
    }

    private async Task<LoadResult> LoadAsync(ServedProcess silo, string organization, int clients, TimeSpan time, CancellationToken cancellationToken)
    {
        var head = new ContactRequests(silo.Url, run.Tokens.Member(organization)).InsertHead();
        return (await new ClosedLoop(silo.Url, clients).RunAsync(new InsertRequests([head], ++_seed), time, cancellationToken)).Checked("replicated inserts");
    }

    /// <summary>What has been spent so far.</summary>
    /// <param name="Requests">Bucket requests.</param>
    /// <param name="Cpu">CPU time of the Litestream processes that run.</param>
    private readonly record struct Cost(long Requests, TimeSpan Cpu)
    {
        public static async Task<Cost> ReadAsync(ServedProcess silo, OperatorCalls calls, CancellationToken cancellationToken) => new(
            await calls.CountBucketRequestsAsync(cancellationToken),
            TimeSpan.FromSeconds(ProcessTree.Of(silo.Pid).Processes.Where(process => process.Command == "litestream").Sum(process => process.Ticks) / (double)ProcessStat.TicksPerSecond));

        public Cost Since(Cost before) => new(Requests - before.Requests, Cpu - before.Cpu);
    }
}
