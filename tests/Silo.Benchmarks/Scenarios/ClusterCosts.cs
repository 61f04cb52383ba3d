using System.Globalization;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// What active organizations cost on three silos of one machine as they become more, each written every ten seconds: memory, CPU,
/// bucket requests, and how far the bucket is behind. deploy/SCALING.md calculates with these numbers.
/// </summary>
internal sealed class ClusterCosts(BenchmarkRun run)
{
    private const int Silos = 3;
    private const int WriteEverySeconds = 10;
    private static readonly int[] Steps = [10, 30, 100, 300];
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(60);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var most = run.Settings.Organizations ?? Steps[^1];
        await new Seeding(run).EnsureAsync(most, cancellationToken);
        await using var cluster = await BenchmarkCluster.StartAsync(run, Silos, cancellationToken);
        using var calls = new OperatorCalls(cluster.Gateway, run.Tokens);
        var members = new ActiveMembers(cluster.Gateway, run);
        await members.ReadAsync(0, 3, cancellationToken);
        var empty = (Memory: cluster.SilosMb, Organizations: 3);
        var active = empty.Organizations;
        foreach (var count in Steps.Append(most).Where(count => count <= most).Distinct())
        {
            run.Say($"{count} organizations on {Silos} silos");
            await members.ReadAsync(active, count, cancellationToken);
            active = count;
            await MeasureAsync(cluster, calls, members, count, empty, cancellationToken);
        }
    }

    private async Task MeasureAsync(
        BenchmarkCluster cluster, OperatorCalls calls, ActiveMembers members, int count, (double Memory, int Organizations) empty, CancellationToken cancellationToken)
    {
        await members.WriteInTurnAsync(count, (double)count / WriteEverySeconds, Settle, cancellationToken);
        using var bucket = new OperatorCalls(cluster.Bucket, run.Tokens);
        using var sampling = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lags = SampleLagsAsync(calls, sampling.Token);
        var uses = cluster.Silos.Select(silo => ProcessorUse.Of(silo.Pid)).ToList();
        var before = await bucket.CountBucketRequestsAsync(cancellationToken);
        var begun = TimeProvider.System.GetTimestamp();
        var latencies = await members.WriteInTurnAsync(count, (double)count / WriteEverySeconds, Watched, cancellationToken);
        var seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds;
        var requests = (await bucket.CountBucketRequestsAsync(cancellationToken) - before) / seconds;
        var shares = uses.Select(use => use.End()).ToList();
        await sampling.CancelAsync();
        var lag = new Latencies(await lags);
        var name = string.Create(CultureInfo.InvariantCulture, $"{count} organizations on {Silos} silos, each written every {WriteEverySeconds} s");
        run.Report.Add(new Measurement(name, "") { OtherCores = shares.Min(share => share.OtherCores) }
            .With("MB each", (cluster.SilosMb - empty.Memory) / Math.Max(1, count - empty.Organizations))
            .With("% of a core, silos and Litestreams", 100 * shares.Sum(share => share.Cores))
            .With("bucket requests/s", requests)
            .With("bucket requests/s of each", requests / count)
            .With("lag p50 s", lag.Median)
            .With("lag p99 s", lag.Percentile(99), null, Limit.AtMost(3))
            .With("writes/s", latencies.Count / seconds)
            .With("write p50 ms", latencies.Median)
            .With("write p99 ms", latencies.Percentile(99)));
    }

    private static async Task<List<double>> SampleLagsAsync(OperatorCalls calls, CancellationToken cancellationToken)
    {
        var lags = new List<double>();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) lags.AddRange(await calls.LagSecondsAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // that is how it ends
        }
        return lags;
    }
}
