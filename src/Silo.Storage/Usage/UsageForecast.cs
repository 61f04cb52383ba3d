namespace Silo.Storage.Usage;

/// <summary>A time for which a database should be open before anybody asks for it.</summary>
/// <param name="From">When to open it.</param>
/// <param name="Until">When to give up waiting.</param>
public readonly record struct OpenAhead(DateTimeOffset From, DateTimeOffset Until);

/// <summary>Says of an organization for how long to wait for its next use, and when it will come back.</summary>
/// <param name="coldStartWorth">For how long a database may be kept open to save one cold start; decides both.</param>
/// <param name="least">The shortest wait.</param>
/// <param name="most">The longest wait, and the longest that a database is kept open ahead.</param>
/// <param name="lead">How long before the earliest use that is waited for a database is opened.</param>
public sealed class UsageForecast(TimeSpan coldStartWorth, TimeSpan least, TimeSpan most, TimeSpan lead)
{
    /// <summary>Hours in which a use is less likely than this are not waited for.</summary>
    private const double LikelyHour = 0.35;

    /// <summary>Arrivals that are less likely than this are not opened for.</summary>
    private const double LikelyArrival = 0.45;

    /// <summary>How many deviations before and after the middle are waited for, and which share of the arrivals that is.</summary>
    private const double Deviations = 1.6;

    private const double ShareWithin = 0.8;

    private static readonly TimeSpan LeastDeviation = TimeSpan.FromMinutes(0.5);

    /// <summary>For how long after a use to wait for the next one; null while too little is known.</summary>
    public TimeSpan? Wait(UsageProfile profile, DateTimeOffset lastUse)
    {
        if (profile.Pauses.Plan(coldStartWorth, least, most) is not { Wait: var wait }) return null;
        // Not into hours in which nobody comes: what is known of pauses is known of all hours together.
        for (var begins = HourAfter(lastUse); begins - lastUse < wait; begins = HourAfter(begins))
        {
            if (profile.Likelihood(begins) < LikelyHour) return begins - lastUse < least ? least : begins - lastUse;
        }
        return wait;
    }

    /// <summary>The next time for which opening it ahead is worth more than it costs; null when there is none that ends after one moment and begins before another.</summary>
    public OpenAhead? Next(UsageProfile profile, DateTimeOffset after, DateTimeOffset before)
    {
        if (Return(profile) is { } soon && soon.Until > after && soon.From < before) return soon;
        // Arrivals of an hour may be up to half an hour outside of it.
        for (var hour = after.AddHours(-1); hour < before.AddHours(1); hour = hour.AddHours(1))
        {
            // Who has come since then is not expected any more.
            if (Ahead(profile, hour) is { } ahead && ahead.Until > after && ahead.From < before && !(profile.LastUse > ahead.From)) return ahead;
        }
        return null;
    }

    // What comes at intervals: after its last use, and once.
    private OpenAhead? Return(UsageProfile profile)
    {
        if (profile.LastUse is not { } last || profile.Pauses.Plan(coldStartWorth, least, most) is not { } plan || plan.ReturnsUntil == plan.ReturnsAfter) return null;
        var until = last + plan.ReturnsUntil;
        return profile.Likelihood(until) >= LikelyHour ? new OpenAhead(last + plan.ReturnsAfter - lead, until) : null;
    }

    private static DateTimeOffset HourAfter(DateTimeOffset at) => new(((at.UtcTicks / TimeSpan.TicksPerHour) + 1) * TimeSpan.TicksPerHour, TimeSpan.Zero);

    private OpenAhead? Ahead(UsageProfile profile, DateTimeOffset hour)
    {
        var (likelihood, at, deviation) = profile.ArrivalIn(hour);
        if (likelihood < LikelyArrival) return null;
        var half = (deviation < LeastDeviation ? LeastDeviation : deviation) * Deviations;
        var comes = half + lead;
        var stays = (2 * half) + lead;
        if (stays > most) return null;
        var cost = (likelihood * comes) + ((1 - likelihood) * stays);
        return likelihood * ShareWithin * coldStartWorth > cost ? new OpenAhead(at - half - lead, at + half) : null;
    }
}
