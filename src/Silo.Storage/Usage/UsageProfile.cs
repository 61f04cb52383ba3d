namespace Silo.Storage.Usage;

/// <summary>
/// What is remembered of when an organization is used: how likely it is in each hour of the week (UTC), when in an hour it tends to come
/// back after a long pause, and how long its pauses are. Of bounded size, however much it is used; older weeks count less and less.
/// Not safe for use by several threads.
/// </summary>
public sealed partial class UsageProfile
{
    /// <summary>Hours of a week.</summary>
    public const int Hours = 7 * 24;

    /// <summary>What the last week counts for; the week before it has 0.7 of that, and so on.</summary>
    private const double WeekShare = 0.3;

    /// <summary>A single week proves little: beside the weeks that are known, this much of an unused one counts too.</summary>
    private const double Doubt = 0.1;

    /// <summary>Uses after a pause of this many minutes are arrivals, which the forecast is of.</summary>
    private const double ArrivalPauseMinutes = 40;

    /// <summary>An arrival that is this many minutes from those of the hour beside it is one of those: 8:57 belongs to 9:00.</summary>
    private const double SameArrivalMinutes = 20;

    /// <summary>In how many days a use comes to count half for <see cref="Rank"/>.</summary>
    private const double RankHalfLifeDays = 3;

    private readonly double[] _used = new double[Hours];
    private readonly Arrival[] _arrivals = new Arrival[Hours];

    /// <summary>The hour (since 1970) of the first use.</summary>
    private long _firstHour;

    private record struct Arrival(double Share, double Minute, double Deviation);

    /// <summary>The last use; null before the first.</summary>
    public DateTimeOffset? LastUse { get; private set; }

    /// <summary>
    /// The logarithm (base 2) of how often it was used, where a use of three days ago counts half. Comparable between organizations at any
    /// time without being touched: all of them age alike.
    /// </summary>
    public double Rank { get; private set; }

    /// <summary>How long its pauses are.</summary>
    public PauseLengths Pauses { get; } = new();

    /// <summary>It is used. What comes at or before the last use changes nothing.</summary>
    public void Use(DateTimeOffset at)
    {
        var hour = HourOf(at);
        var pause = at - LastUse;
        if (pause <= TimeSpan.Zero) return;
        if (LastUse is { } last)
        {
            Age(HourOf(last), hour);
            Pauses.Add(pause!.Value);
        }
        else
        {
            _firstHour = hour;
        }
        var days = (at - DateTimeOffset.UnixEpoch).TotalDays / RankHalfLifeDays;
        if (LastUse is null) Rank = days;
        else if (pause >= TimeSpan.FromMinutes(1)) Rank = Math.Max(Rank, days) + Math.Log2(1 + Math.Pow(2, -Math.Abs(days - Rank)));
        if (LastUse is null || HourOf(LastUse.Value) != hour) _used[Slot(hour)] += WeekShare;
        if (pause is null || pause.Value.TotalMinutes >= ArrivalPauseMinutes) Arrive(hour, at);
        LastUse = at;
    }

    /// <summary>How likely it is used in the hour of a moment that is not before the last use, 0 to 1.</summary>
    public double Likelihood(DateTimeOffset at) => LastUse is null ? 0 : Share(_used[Slot(HourOf(at))], HourOf(at));

    /// <summary>When it is likely to come back after a long pause, in the hour of a moment and the minutes around it.</summary>
    internal (double Likelihood, DateTimeOffset At, TimeSpan Deviation) ArrivalIn(DateTimeOffset hourOf)
    {
        if (LastUse is null) return default;
        var hour = HourOf(hourOf);
        var arrival = _arrivals[Slot(hour)];
        return (Share(arrival.Share, hour), StartOf(hour).AddMinutes(arrival.Minute), TimeSpan.FromMinutes(arrival.Deviation));
    }

    private static long HourOf(DateTimeOffset at) => at.ToUnixTimeSeconds() / 3600;

    private static DateTimeOffset StartOf(long hour) => DateTimeOffset.UnixEpoch.AddHours(hour);

    private static int Slot(long hour) => (int)(hour % Hours);

    // The hours that begin after the last use are not in the shares yet.
    private double Share(double share, long hour)
    {
        var last = HourOf(LastUse!.Value);
        var unused = Math.Max(0, (hour - last - 1) / Hours);
        var known = Math.Max(1, ((hour - _firstHour - 1) / Hours) + 1);
        return Math.Min(1, share * Math.Pow(1 - WeekShare, unused) / (1 - Math.Pow(1 - WeekShare, known) + Doubt));
    }

    // The weeks between two uses, hour by hour; each hour that began counts once.
    private void Age(long from, long to)
    {
        for (var hour = Math.Max(from + 1, to - Hours + 1); hour <= to; hour++)
        {
            var keep = Math.Pow(1 - WeekShare, 1 + ((hour - from - 1) / Hours));
            _used[Slot(hour)] *= keep;
            _arrivals[Slot(hour)].Share *= keep;
        }
    }

    private void Arrive(long hour, DateTimeOffset at)
    {
        var (nearest, distance) = (hour, double.MaxValue);
        for (var other = hour - 1; other <= hour + 1; other++)
        {
            ref var candidate = ref _arrivals[Slot(other)];
            if (candidate.Share <= 0) continue;
            var away = Math.Abs((at - StartOf(other)).TotalMinutes - candidate.Minute);
            if (away < distance) (nearest, distance) = (other, away);
        }
        if (distance > SameArrivalMinutes) nearest = hour;
        ref var arrival = ref _arrivals[Slot(nearest)];
        var minute = (at - StartOf(nearest)).TotalMinutes;
        if (arrival.Share <= 0.01)
        {
            arrival = new Arrival(WeekShare, minute, InitialDeviationMinutes);
            return;
        }
        // The next hour's share is aged when that hour begins: what is put there early must survive it.
        arrival.Share += nearest > hour ? WeekShare / (1 - WeekShare) : WeekShare;
        arrival.Share = Math.Min(1, arrival.Share);
        arrival.Deviation += WeekShare * (Math.Abs(minute - arrival.Minute) - arrival.Deviation);
        arrival.Minute += WeekShare * (minute - arrival.Minute);
    }

    /// <summary>Of an arrival that was seen once.</summary>
    private const double InitialDeviationMinutes = 5;
}
