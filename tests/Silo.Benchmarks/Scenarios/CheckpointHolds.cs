using System.Globalization;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// What the checkpoint interlock costs: inserts into one organization, with the WAL size at which Litestream checkpoints as it is
/// by default, and with one that is never reached. At that size the next write is held until the WAL was reset.
/// </summary>
internal sealed class CheckpointHolds(BenchmarkRun run)
{
    private const string Organization = "checkpoints";
    private const int Never = 100_000;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    // The bucket must not be what slows the writes here: the whole WAL between two checkpoints may wait for it.
    private const string NoBackpressure = "Litestream:MaxLagBytes=17179869184";

    private uint _seed = 77;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await MeasureAsync("insert, 1 client, with checkpoints", [], 1, cancellationToken);
        await MeasureAsync("insert, 1 client, without checkpoints", [$"Litestream:CheckpointPages={Never}"], 1, cancellationToken);
        await MeasureAsync("insert, 1 client, checkpoints 10 times as often", ["Litestream:CheckpointPages=2000"], 1, cancellationToken);
    }

    private async Task MeasureAsync(string name, string[] settings, int clients, CancellationToken cancellationToken)
    {
        run.Say(name);
        var organization = string.Create(CultureInfo.InvariantCulture, $"{Organization}-{_seed}");
        await using var silo = await run.StartSiloAsync(cancellationToken, [NoBackpressure, .. settings]);
        using var calls = new OperatorCalls(silo, run.Tokens);
        await calls.CreateOrganizationAsync(organization, cancellationToken);
        await LoadAsync(silo, organization, clients, WarmUp, cancellationToken);
        var use = ProcessorUse.Of(silo.Pid);
        var result = await LoadAsync(silo, organization, clients, TimeSpan.FromSeconds(run.Settings.Seconds * run.Settings.Rounds), cancellationToken);
        var share = use.End();
        run.Report.Add(new Measurement(name, "") { OtherCores = share.OtherCores + share.StealCores }
            .With("p50 ms", result.Latencies.Median)
            .With("p99 ms", result.Latencies.Percentile(99))
            .With("p99.99 ms", result.Latencies.Percentile(99.99))
            .With("max ms", result.Latencies.Max)
            .With("writes/s", result.Rate)
            .With("number of writes", result.Requests));
        await calls.WaitReplicatedAsync(organization, cancellationToken);
    }

    private async Task<LoadResult> LoadAsync(ServedProcess silo, string organization, int clients, TimeSpan time, CancellationToken cancellationToken)
    {
        var head = new ContactRequests(silo.Url, run.Tokens.Member(organization)).InsertHead();
        return (await new ClosedLoop(silo.Url, clients).RunAsync(new InsertRequests([head], ++_seed), time, cancellationToken)).Checked("inserts");
    }
}
