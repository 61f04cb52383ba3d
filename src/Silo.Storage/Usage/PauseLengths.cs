namespace Silo.Storage.Usage;

/// <summary>For how long after a use to wait for the next one.</summary>
/// <param name="Wait">At first.</param>
/// <param name="ReturnsAfter">After the use, when to wait for it once more.</param>
/// <param name="ReturnsUntil">After the use, until when; the same as <paramref name="ReturnsAfter"/> when that is not worth it.</param>
public readonly record struct PausePlan(TimeSpan Wait, TimeSpan ReturnsAfter, TimeSpan ReturnsUntil);

/// <summary>How long an organization's pauses are: a histogram of bounded size in which the last ones count most.</summary>
public sealed class PauseLengths
{
    /// <summary>About how many pauses count.</summary>
    private const double Memory = 300;

    /// <summary>Pauses, below which nothing is concluded.</summary>
    private const double Enough = 10;

    // A minute apart at first, so that what comes every quarter of an hour shows.
    private static readonly double[] Minutes = [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 45, 50, 54, 58, 62, 66, 75, 90, 120, 180, 240];

    /// <summary>The share of those that have not come yet that must come within a second wait. Of what comes at random, no time is better than another.</summary>
    private const double RegularShare = 0.6;

    /// <summary>The longest second wait: what is not regular to a few minutes is better waited for in one.</summary>
    private const double MostRegularMinutes = 4.5;


    private readonly double[] _counts = new double[Minutes.Length];
    private volatile Planned? _planned;

    private sealed record Planned(TimeSpan Worth, TimeSpan Least, TimeSpan Most, PausePlan? Plan);

    /// <summary>Pauses up to this are none.</summary>
    public static TimeSpan Shortest { get; } = TimeSpan.FromMinutes(Minutes[0]);

    internal IReadOnlyList<double> Counts => _counts;

    /// <summary>A pause has ended.</summary>
    public void Add(TimeSpan pause)
    {
        if (pause <= Shortest) return;
        for (var i = 0; i < _counts.Length; i++) _counts[i] *= 1 - (1 / Memory);
        _counts[BinOf(pause.TotalMinutes)]++;
        _planned = null;
    }

    /// <summary>
    /// For how long after a use to wait for the next one, and when, if that was not enough, to wait for it once more: the plan of the
    /// lowest cost, of the time that is waited and of the cold starts that are not prevented. Null while too few pauses are known.
    /// </summary>
    /// <param name="coldStartWorth">For how long a database may be kept open to save one cold start.</param>
    /// <param name="least">The shortest first wait.</param>
    /// <param name="most">The longest of each of the two.</param>
    public PausePlan? Plan(TimeSpan coldStartWorth, TimeSpan least, TimeSpan most)
    {
        var known = _planned;
        if (known is null || known.Worth != coldStartWorth || known.Least != least || known.Most != most)
            _planned = known = new Planned(coldStartWorth, least, most, Find(coldStartWorth, least, most));
        return known.Plan;
    }

    internal void Set(int bin, double count) => _counts[bin] = count;

    private PausePlan? Find(TimeSpan coldStartWorth, TimeSpan least, TimeSpan most)
    {
        var total = _counts.Sum();
        if (total < Enough) return null;
        var worth = coldStartWorth.TotalMinutes;
        double[] ends = [.. _counts.Select(count => count / total)]; // the share that ends in each bin
        var returns = BestReturns(ends, worth, Math.Min(most.TotalMinutes, MostRegularMinutes));
        var (best, lowest, left, waited) = (default(PausePlan?), double.MaxValue, 1.0, Minutes[0]);
        for (var i = 0; i < Minutes.Length && Minutes[i] <= most.TotalMinutes; i++)
        {
            // At the beginning of a bin: those before it have come, those from here on are waited for this long.
            if (Minutes[i] >= least.TotalMinutes && waited + (worth * left) - returns[i].Gain is var cost && cost < lowest)
            {
                lowest = cost;
                best = new PausePlan(TimeSpan.FromMinutes(Minutes[i]), TimeSpan.FromMinutes(returns[i].From), TimeSpan.FromMinutes(returns[i].Until));
            }
            if (i + 1 == Minutes.Length) break;
            waited += (left - (ends[i] / 2)) * (Minutes[i + 1] - Minutes[i]);
            left -= ends[i];
        }
        return best;
    }

    // The best second wait that begins with a bin or later, for each bin; none at the end.
    private static (double Gain, double From, double Until)[] BestReturns(double[] ends, double worth, double most)
    {
        var best = new (double Gain, double From, double Until)[Minutes.Length];
        var left = Math.Max(0, 1 - ends[..^1].Sum());
        for (var from = Minutes.Length - 2; from >= 0; from--)
        {
            left += ends[from];
            best[from] = best[from + 1];
            var (still, gain) = (left, 0.0);
            for (var to = from; to + 1 < Minutes.Length && Minutes[to + 1] - Minutes[from] <= most && still > 0; to++)
            {
                gain += (worth * ends[to]) - ((still - (ends[to] / 2)) * (Minutes[to + 1] - Minutes[to]));
                still -= ends[to];
                if (gain > best[from].Gain && left - still >= RegularShare * left) best[from] = (gain, Minutes[from], Minutes[to + 1]);
            }
        }
        return best;
    }

    private static int BinOf(double minutes)
    {
        var bin = Array.BinarySearch(Minutes, minutes);
        return bin >= 0 ? bin : ~bin - 1;
    }
}
