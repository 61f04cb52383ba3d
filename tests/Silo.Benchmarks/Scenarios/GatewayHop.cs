using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>What it costs that the gateway is a process of its own: lists of 50 through it, beside the floor on the same cores.</summary>
internal sealed class GatewayHop(BenchmarkRun run)
{
    private const int Organizations = 10;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(12);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var count = run.Settings.Organizations ?? Organizations;
        await new Seeding(run).EnsureAsync(count, cancellationToken);
        await using var floor = await run.StartFloorAsync(cancellationToken);
        await using var cluster = await BenchmarkCluster.StartAsync(run, silos: 1, cancellationToken);
        run.Say($"activating {count} organizations");
        var below = await WarmLoads.PrepareAsync(floor, run, count, cancellationToken);
        var ours = await WarmLoads.PrepareAsync(cluster.Gateway, run, count, cancellationToken);
        var (rate, alone) = (Limit.AtLeast(60), Limit.AtMost(1));
        await MeasureAsync($"list of 50 through a gateway, {run.Settings.Connections} connections", run.Settings.Connections, rate, null);
        await MeasureAsync("list of 50 through a gateway, 1 connection", 1, null, alone);

        async Task MeasureAsync(string name, int connections, Limit? share, Limit? added)
        {
            run.Say(name);
            var (floorResults, results) = (new List<LoadResult>(), new List<LoadResult>());
            for (var round = 0; round <= run.Settings.Rounds; round++)
            {
                var time = round == 0 ? WarmUp : TimeSpan.FromSeconds(run.Settings.Seconds);
                var seed = (uint)round + 7;
                using (cluster.Freeze()) Keep(floorResults, (await new ClosedLoop(floor.Url, connections).RunAsync(below.Lists(seed), time, cancellationToken)).Checked(floor.Name));
                Keep(results, (await new ClosedLoop(cluster.Gateway.Url, connections).RunAsync(ours.Lists(seed), time, cancellationToken)).Checked("Silo"));

                void Keep(List<LoadResult> kept, LoadResult result)
                {
                    if (round > 0) kept.Add(result);
                }
            }
            var (floorRate, ourRate) = (Median(floorResults, result => result.Rate), Median(results, result => result.Rate));
            var (floorP50, ourP50) = (Median(floorResults, result => result.Latencies.Median), Median(results, result => result.Latencies.Median));
            run.Report.Add(new Measurement(name, "")
                .With("requests/s", ourRate, floorRate)
                .With("% of the floor's requests/s", 100 * ourRate / floorRate, 100, share)
                .With("p50 ms", ourP50, floorP50)
                .With("added to p50, ms", ourP50 - floorP50, null, added));
        }
    }

    private static double Median(List<LoadResult> results, Func<LoadResult, double> value) => new Latencies(results.Select(value)).Median;
}
