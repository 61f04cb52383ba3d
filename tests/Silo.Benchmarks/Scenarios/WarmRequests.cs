using System.Text.Json.Nodes;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// Requests to active organizations, a random one each: alone, and with every connection busy. Floor and Silo take turns, since the
/// machine drifts, and the one that waits is frozen; what counts is the ratio of the medians.
/// </summary>
internal sealed class WarmRequests(BenchmarkRun run)
{
    private const int Organizations = 100;
    private const int Page = 50;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(12);

    private uint _seed = 7;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var count = run.Settings.Organizations ?? Organizations;
        await new Seeding(run).EnsureAsync(count, cancellationToken);
        await using var floor = await run.StartFloorAsync(cancellationToken);
        await using var silo = await run.StartSiloAsync(cancellationToken);
        run.Say($"activating {count} organizations");
        var floorLoads = await WarmLoads.PrepareAsync(floor, run, count, cancellationToken);
        var siloLoads = await WarmLoads.PrepareAsync(silo, run, count, cancellationToken);
        await CompareAsync(floor, silo, cancellationToken);

        await MeasureAsync("get by id, 1 connection", loads => loads.Gets, 1, null, Limit.AtMost(1));
        await MeasureAsync($"list of {Page}, {run.Settings.Connections} connections", loads => loads.Lists, run.Settings.Connections, Limit.AtLeast(85), null);
        await MeasureAsync($"get by id, {run.Settings.Connections} connections", loads => loads.Gets, run.Settings.Connections, Limit.AtLeast(65), null);
        await MeasureAsync($"insert, {run.Settings.Connections} connections", loads => loads.Inserts, run.Settings.Connections, Limit.AtLeast(60), null);

        async Task MeasureAsync(string name, Func<WarmLoads, Func<uint, IRequestSource>> load, int connections, Limit? share, Limit? latency)
        {
            if (!name.StartsWith(run.Settings.Only, StringComparison.Ordinal)) return;
            run.Say(name);
            var (below, ours) = (new Rounds(connections), new Rounds(connections));
            for (var round = 0; round <= run.Settings.Rounds; round++)
            {
                // The first round is not counted: until the code is compiled for good, Silo serves half as much.
                var time = round == 0 ? WarmUp : TimeSpan.FromSeconds(run.Settings.Seconds);
                using (new FrozenTree(silo.Pid)) await below.AddAsync(floor, load(floorLoads)(++_seed), time, round > 0, cancellationToken);
                using (new FrozenTree(floor.Pid)) await ours.AddAsync(silo, load(siloLoads)(_seed), time, round > 0, cancellationToken);
            }
            run.Report.Add(new Measurement(name, "") { OtherCores = Math.Max(below.OtherCores, ours.OtherCores) }
                .With("requests/s", ours.Rate, below.Rate)
                .With("% of the floor's requests/s", 100 * ours.Rate / below.Rate, 100, share)
                .With("p50 ms", ours.Percentile(50), below.Percentile(50), latency)
                .With("p99 ms", ours.Percentile(99), below.Percentile(99))
                .With("CPU ms per 1,000", ours.CpuPerThousand, below.CpuPerThousand));
        }
    }

    /// <summary>Both must give the same rows in the same form, or their speeds are not comparable.</summary>
    private async Task CompareAsync(ServedProcess floor, ServedProcess silo, CancellationToken cancellationToken)
    {
        if (!JsonNode.DeepEquals(await FirstPage(floor), await FirstPage(silo))) throw new BenchmarkException("Silo and the floor list different contacts.");

        async Task<JsonNode?> FirstPage(ServedProcess server)
        {
            using var calls = new OperatorCalls(server, run.Tokens);
            var page = JsonNode.Parse((await calls.ListAsync(SeedPlan.Organization(0), Page, null, cancellationToken)).GetRawText())!;
            foreach (var contact in page["items"]!.AsArray())
            {
                foreach (var own in (string[])["id", "createdAt", "updatedAt"]) contact![own] = contact[own]!.GetValue<string>().Length;
            }
            return page;
        }
    }
}
