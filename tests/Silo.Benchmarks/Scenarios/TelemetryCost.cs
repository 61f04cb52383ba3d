using System.Diagnostics;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// What it costs to be watched: the same requests to a silo that measures nothing, to one whose /metrics is scraped, to one that also
/// sends logs and traced requests to a collector, and to one that sends it the metrics too. They take turns, and those that wait are
/// frozen. In each round all are started anew: two processes of one program differ by more than what is to be measured, so that only
/// the mean of many tells anything, and its standard error how much.
/// </summary>
internal sealed class TelemetryCost(BenchmarkRun run)
{
    private const int Organizations = 10;
    private const int Turns = 3; // of each host in a round
    private const double MostCost = 5; // percent of the requests per second
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan ScrapeInterval = TimeSpan.FromSeconds(5);

    /// <summary>Each is frozen three quarters of the time, which its clock does not know: four times the intervals that OpenTelemetry has by itself, in ms.</summary>
    private static readonly KeyValuePair<string, string>[] Seldom =
        [new("OTEL_METRIC_EXPORT_INTERVAL", "240000"), new("OTEL_BSP_SCHEDULE_DELAY", "20000"), new("OTEL_BLRP_SCHEDULE_DELAY", "20000")];

    private static readonly (string Name, Func<WarmLoads, Func<uint, IRequestSource>> Load)[] Loads =
        [("get by id", loads => loads.Gets), ("list of 50", loads => loads.Lists), ("insert", loads => loads.Inserts)];

    private readonly string[] _variants = ["off", "/metrics scraped", "/metrics scraped, traces and logs sent to a collector", "/metrics scraped, everything sent to a collector"];
    private uint _seed = 7;

    private IEnumerable<(string Name, Func<WarmLoads, Func<uint, IRequestSource>> Load)> Asked =>
        Loads.Where(load => load.Name.StartsWith(run.Settings.Only, StringComparison.Ordinal));

    private sealed record Watched(ServedProcess Server, WarmLoads Loads, Scrapes? Scrapes);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var count = run.Settings.Organizations ?? Organizations;
        await new Seeding(run).EnsureAsync(count, cancellationToken);
        await using var sink = await TelemetrySink.StartAsync(cancellationToken);
        var rounds = Loads.ToDictionary(load => load.Name, _ => _variants.Select(_ => new Rounds(run.Settings.Connections)).ToArray());
        for (var start = 1; start <= run.Settings.Rounds; start++)
        {
            run.Say($"round {start} of {run.Settings.Rounds}: {count} organizations, {_variants.Length} times");
            await MeasureAsync(start, sink, count, rounds, cancellationToken);
        }
        if (sink.Bytes == 0) throw new BenchmarkException("Nothing came to the collector, so nothing was measured.");
        run.Say($"{sink.Bytes / 1024} KiB came to the collector");
        foreach (var (load, _) in Asked) Report(load, rounds[load]);
    }

    private async Task MeasureAsync(int start, TelemetrySink sink, int count, Dictionary<string, Rounds[]> rounds, CancellationToken cancellationToken)
    {
        var servers = new List<ServedProcess>();
        try
        {
            var variants = new Watched[_variants.Length];
            // Each is started first as often as the others.
            for (var turn = 0; turn < variants.Length; turn++)
            {
                var i = (start + turn) % variants.Length;
                servers.Add(i switch
                {
                    0 => await run.StartSiloAsync(Copy("off"), [], cancellationToken, "Telemetry:Metrics=false"),
                    1 => await run.StartSiloAsync(Copy("scraped"), [], cancellationToken),
                    2 => await run.StartSiloAsync(Copy("traced"), [.. sink.Environment, .. Seldom], cancellationToken, "Telemetry:OtlpMetrics=false"),
                    _ => await run.StartSiloAsync(Copy("sent"), [.. sink.Environment, .. Seldom], cancellationToken),
                });
                variants[i] = new(servers[^1], await WarmLoads.PrepareAsync(servers[^1], run, count, cancellationToken), i == 0 ? null : new Scrapes(servers[^1]));
            }
            await MeasureAsync(variants, rounds, cancellationToken);
        }
        finally
        {
            foreach (var server in servers) await server.DisposeAsync();
        }
    }

    private async Task MeasureAsync(Watched[] variants, Dictionary<string, Rounds[]> rounds, CancellationToken cancellationToken)
    {
        foreach (var (name, load) in Asked)
        {
            run.Say(name);
            for (var round = 0; round <= Turns; round++)
            {
                _seed++;
                var time = round == 0 ? WarmUp : TimeSpan.FromSeconds(run.Settings.Seconds);
                // Each begins as often as the others: what comes first meets another machine than what comes last.
                for (var turn = 0; turn < variants.Length; turn++)
                {
                    var i = (round + turn) % variants.Length;
                    var frozen = variants.Where((_, other) => other != i).Select(other => new FrozenTree(other.Server.Pid)).ToArray();
                    using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                    var scraping = variants[i].Scrapes?.RunAsync(over.Token) ?? Task.CompletedTask;
                    await rounds[name][i].AddAsync(variants[i].Server, load(variants[i].Loads)(_seed), time, round > 0, cancellationToken);
                    await over.CancelAsync();
                    await scraping;
                    foreach (var waiting in frozen) waiting.Dispose();
                }
            }
        }
    }

    private void Report(string load, Rounds[] rounds)
    {
        for (var i = 1; i < rounds.Length; i++)
        {
            var lost = OfStarts(rounds[i].Rates, rounds[0].Rates, ratio => 100 * (1 - ratio));
            var cpu = OfStarts(rounds[i].Cpu, rounds[0].Cpu, ratio => 100 * (ratio - 1));
            run.Report.Add(new Measurement($"{load}, {run.Settings.Connections} connections: {_variants[i]}", "") { OtherCores = rounds.Max(round => round.OtherCores) }
                .With("requests/s", rounds[i].Rate, rounds[0].Rate)
                .With("% of requests/s lost", lost.Average(), null, Limit.AtMost(MostCost))
                .With("± its standard error", StandardError(lost))
                .With("CPU ms per 1,000", rounds[i].CpuPerThousand, rounds[0].CpuPerThousand)
                .With("% more CPU", cpu.Average())
                .With("± its standard error", StandardError(cpu))
                .With("p99 ms", rounds[i].Percentile(99), rounds[0].Percentile(99)));
        }
    }

    /// <summary>What each start gives, by turns: neighbours have met the same machine.</summary>
    private static double[] OfStarts(IReadOnlyList<double> values, IReadOnlyList<double> others, Func<double, double> percent) =>
        [.. values.Zip(others, (value, other) => value / other).Chunk(Turns).Select(start => percent(new Latencies(start).Median))];

    private static double StandardError(double[] values) =>
        Math.Sqrt(values.Sum(value => Math.Pow(value - values.Average(), 2)) / Math.Max(1, values.Length - 1) / values.Length);

    /// <summary>A copy of the seeded data: each host has its own bucket in it.</summary>
    private string Copy(string name)
    {
        var copy = $"{run.SiloFolder}-{name}";
        if (Directory.Exists(copy)) Directory.Delete(copy, recursive: true);
        foreach (var file in Directory.EnumerateFiles(run.SiloFolder, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(copy, Path.GetRelativePath(run.SiloFolder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        return copy;
    }

    /// <summary>Scrapes a server at its interval, of which only the time counts in which it is not frozen.</summary>
    private sealed class Scrapes(ServedProcess server)
    {
        private static readonly HttpClient Http = new();

        private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1); // that a timer takes

        private TimeSpan _left = ScrapeInterval;

        /// <summary>Goes on until the round is over.</summary>
        public async Task RunAsync(CancellationToken over)
        {
            var begun = Stopwatch.GetTimestamp();
            using var timer = new PeriodicTimer(_left);
            try
            {
                while (await timer.WaitForNextTickAsync(over))
                {
                    begun = Stopwatch.GetTimestamp();
                    _left = timer.Period = ScrapeInterval;
                    await Http.GetByteArrayAsync(new Uri(server.Url, "/metrics"), CancellationToken.None);
                }
            }
            catch (OperationCanceledException)
            {
                var left = _left - Stopwatch.GetElapsedTime(begun);
                _left = left > Shortest ? left : Shortest;
            }
        }
    }
}
