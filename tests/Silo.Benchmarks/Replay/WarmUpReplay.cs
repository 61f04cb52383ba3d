using Silo.Storage.Usage;

namespace Silo.Benchmarks.Replay;

/// <summary>What a policy gave in the replayed time.</summary>
/// <param name="ColdStarts">Requests that found no open database.</param>
/// <param name="ActiveHours">Hours that databases were open, of all organizations together.</param>
/// <param name="OpenedAhead">How often a database was opened before somebody asked.</param>
/// <param name="InVain">How many of those nobody came for.</param>
internal readonly record struct ReplayResult(long ColdStarts, double ActiveHours, long OpenedAhead, long InVain)
{
    public static ReplayResult operator +(ReplayResult a, ReplayResult b) =>
        new(a.ColdStarts + b.ColdStarts, a.ActiveHours + b.ActiveHours, a.OpenedAhead + b.OpenedAhead, a.InVain + b.InVain);
}

/// <summary>
/// Lets requests come in their order, with the clock of the requests: a database is open from a request (or from when it is opened
/// ahead) until it was idle long enough. Only what happens from a moment on is counted; before it, the profiles learn.
/// </summary>
/// <param name="idle">The idle time-out where nothing else is known.</param>
/// <param name="from">From when on it is counted.</param>
/// <param name="to">Until when.</param>
internal sealed class WarmUpReplay(TimeSpan idle, DateTimeOffset from, DateTimeOffset to)
{
    /// <summary>As the recorder does it.</summary>
    private static readonly TimeSpan Resolution = TimeSpan.FromSeconds(10);

    /// <summary>How often who is due is looked for.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);

    /// <summary>One organization.</summary>
    /// <param name="requests">In order.</param>
    /// <param name="waits">What says how long to wait for the next one; null for the idle time-out alone.</param>
    /// <param name="opens">What says when to open it ahead; null for never.</param>
    public ReplayResult Run(IReadOnlyList<DateTimeOffset> requests, UsageForecast? waits, UsageForecast? opens)
    {
        var profile = new UsageProfile();
        var result = default(ReplayResult);
        var openUntil = DateTimeOffset.MinValue;
        for (var i = 0; i < requests.Count; i++)
        {
            var at = requests[i];
            if (at > openUntil && at >= from && at < to) result += new ReplayResult(1, 0, 0, 0);
            if (profile.LastUse is not { } last || at - last >= Resolution) profile.Use(at);
            var next = i + 1 < requests.Count ? requests[i + 1] : to;
            openUntil = at + (waits?.Wait(profile, at) ?? idle);
            result += Open(at, openUntil < next ? openUntil : next);
            if (opens is not null) result += Ahead(profile, opens, next, ref openUntil);
        }
        return result;
    }

    private ReplayResult Ahead(UsageProfile profile, UsageForecast opens, DateTimeOffset next, ref DateTimeOffset openUntil)
    {
        var result = default(ReplayResult);
        while (openUntil < next && opens.Next(profile, openUntil, next) is { } ahead)
        {
            // Whoever looks for it looks once a minute.
            var due = ahead.From > openUntil ? ahead.From : openUntil;
            due = new DateTimeOffset(((due.UtcTicks + Look.Ticks - 1) / Look.Ticks) * Look.Ticks, TimeSpan.Zero);
            if (due >= next) break;
            if (due >= ahead.Until)
            {
                openUntil = ahead.Until;
                continue;
            }
            openUntil = ahead.Until;
            result += Open(due, openUntil < next ? openUntil : next);
            if (due >= from && due < to) result += new ReplayResult(0, 0, 1, openUntil < next ? 1 : 0);
        }
        return result;
    }

    private ReplayResult Open(DateTimeOffset begin, DateTimeOffset end)
    {
        var (counted, last) = (begin > from ? begin : from, end < to ? end : to);
        return last > counted ? new ReplayResult(0, (last - counted).TotalHours, 0, 0) : default;
    }
}
