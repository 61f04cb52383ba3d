using Silo.Benchmarks.Replay;
using Silo.Benchmarks.Reporting;
using Silo.Storage.Databases;
using Silo.Storage.Usage;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// What adaptive idle time-outs and opening ahead give against the plain idle time-out: a week of 1,000 invented organizations is
/// replayed after four weeks to learn from. No server is started, and nothing waits: only the order of the requests counts.
/// </summary>
internal sealed class WarmUpReplays(BenchmarkRun run)
{
    private const int Weeks = 5;

    public void Run()
    {
        foreach (var seed in (int[])[1, 2, 3]) Report($"week {seed}", new UsageWeeks(seed, run.Settings.Organizations ?? 1_000, Weeks));
        Report("week 1, people who come at random", new UsageWeeks(1, run.Settings.Organizations ?? 1_000, Weeks, isMemoryless: true));
    }

    /// <summary>Both ways, all organizations together and of each kind.</summary>
    public static IReadOnlyDictionary<string, (ReplayResult Plain, ReplayResult WarmedUp)> Compare(UsageWeeks weeks, TimeSpan idle, WarmUpOptions options)
    {
        var replay = new WarmUpReplay(idle, weeks.End.AddDays(-7), weeks.End);
        var found = new Dictionary<string, (ReplayResult Plain, ReplayResult WarmedUp)> { ["all"] = default };
        foreach (var (kind, requests) in weeks.All())
        {
            var (plain, warmedUp) = (replay.Run(requests, null, null), replay.Run(requests, options.Forecast(), options.Forecast()));
            foreach (var key in (string[])["all", kind])
            {
                var before = found.GetValueOrDefault(key);
                found[key] = (before.Plain + plain, before.WarmedUp + warmedUp);
            }
        }
        return found;
    }

    private void Report(string name, UsageWeeks weeks)
    {
        run.Say($"warmup, {name}");
        foreach (var (kind, (plain, warmedUp)) in Compare(weeks, new DatabaseOptions().IdleTimeout, new WarmUpOptions()))
        {
            run.Report.Add(new Measurement($"warmup, {name}: {kind}", "(floor: the plain idle time-out)")
                .With("cold starts", warmedUp.ColdStarts, plain.ColdStarts)
                .With("active hours", warmedUp.ActiveHours, plain.ActiveHours)
                .With("fewer cold starts %", 100 - (100.0 * warmedUp.ColdStarts / plain.ColdStarts), limit: kind == "all" ? Limit.AtLeast(60) : null)
                .With("more active hours %", (100 * warmedUp.ActiveHours / plain.ActiveHours) - 100, limit: kind == "all" ? Limit.AtMost(20) : null)
                .With("opened ahead", warmedUp.OpenedAhead)
                .With("of them in vain", warmedUp.InVain));
        }
    }
}
