namespace Silo.Benchmarks.Replay;

/// <summary>
/// Invented weeks of invented organizations, the same for the same seed: offices with working hours in several time zones, lunch and
/// weekends; jobs at fixed minutes; random use around the clock; few and dead ones.
/// </summary>
internal sealed class UsageWeeks(int seed, int organizations, int weeks, bool isMemoryless = false)
{
    /// <summary>Midnight of a Monday, UTC.</summary>
    public static readonly DateTimeOffset Begin = new(2030, 1, 7, 0, 0, 0, TimeSpan.Zero);

    private const double SecondsOfThought = 25;
    private const double RequestsOfSession = 6;
    private const double SessionsOfWork = 4;
    private const double MinutesBetweenSessions = 8;
    private static readonly double[] ZoneHours = [-8, -5, -5, 0, 1, 1, 1, 2, 5.5, 8, 9];

    // Of every 20 organizations.
    private static readonly string[] Mix =
        ["office", "office", "office", "office", "office", "office", "office", "office", "office", "job", "job", "job", "job", "random", "random", "few", "few", "few", "dead", "dead"];

    public DateTimeOffset End { get; } = Begin.AddDays(7 * weeks);

    /// <summary>What kind each one is.</summary>
    public static string KindOf(int organization) => Mix[organization % Mix.Length];

    /// <summary>The requests of each organization, in order.</summary>
    public IEnumerable<(string Kind, IReadOnlyList<DateTimeOffset> Requests)> All()
    {
        for (var i = 0; i < organizations; i++)
        {
            var random = new Random(HashCode(seed, i));
            var kind = KindOf(i);
            var requests = new List<DateTimeOffset>();
            switch (kind)
            {
                case "office": Office(requests, random, users: FirmSize(random)); break;
                case "job": Job(requests, random); break;
                case "random": RoundTheClock(requests, random, LogNormal(random, 0.3, 1.2), 0); break;
                case "few": RoundTheClock(requests, random, 3.0 / (7 * 24), 0); break;
                default: if (random.Next(2) == 0) Session(requests, random, Begin.AddHours(random.NextDouble() * 24 * 7 * weeks)); break;
            }
            requests.Sort();
            yield return (kind, requests.Where(at => at < End).ToList());
        }
    }

    private void Office(List<DateTimeOffset> requests, Random random, int users)
    {
        var zone = ZoneHours[random.Next(ZoneHours.Length)];
        var (opens, closes) = (8 + (random.Next(3) * 0.5), 17 + (random.Next(3) * 0.5));
        var sessionsPerHour = LogNormal(random, 1, 0.5);
        for (var day = 0; day < 7 * weeks; day++)
        {
            var isWeekend = day % 7 >= 5;
            var isHoliday = random.NextDouble() < 0.03;
            for (var user = 0; user < users; user++)
            {
                if (random.NextDouble() < (isWeekend || isHoliday ? 0.95 : 0.1)) continue; // is not there
                var (from, to) = (opens + (Normal(random) / 6), closes + (Normal(random) / 3));
                for (var hour = from; hour < to; hour += Exponential(random) / (isMemoryless ? sessionsPerHour : sessionsPerHour / SessionsOfWork))
                {
                    if (hour is >= 12 and < 13 && random.NextDouble() < 0.7) continue; // lunch
                    var at = Begin.AddDays(day).AddHours(hour - zone);
                    // People come in bursts (Barabasi, Nature 435, 2005): a while of work with short pauses, then something else for long.
                    do
                    {
                        Session(requests, random, at);
                        at = at.AddMinutes(Exponential(random) * MinutesBetweenSessions);
                    }
                    while (!isMemoryless && random.NextDouble() > 1 / SessionsOfWork);
                }
            }
        }
    }

    private void Job(List<DateTimeOffset> requests, Random random)
    {
        var minute = random.Next(60);
        double everyHours = random.Next(8) switch { 0 => 0.25, 1 => 0.5, 2 or 3 => 1, 4 => 4, 5 => 12, _ => 24 };
        var first = random.NextDouble() * everyHours;
        for (var at = Begin.AddHours(Math.Floor(first)).AddMinutes(minute); at < End; at = at.AddHours(everyHours))
        {
            if (random.NextDouble() < 0.02) continue; // it failed before it came here
            var late = at.AddSeconds(random.NextDouble() * 45);
            for (var request = 0; request < 4; request++) requests.Add(late.AddSeconds(request * 2));
        }
        // And somebody who looks after it.
        Office(requests, random, users: 1);
    }

    private void RoundTheClock(List<DateTimeOffset> requests, Random random, double sessionsPerHour, double fromHour)
    {
        for (var at = Begin.AddHours(fromHour); ;)
        {
            at = at.AddHours(Exponential(random) / sessionsPerHour);
            if (at >= End) return;
            Session(requests, random, at);
        }
    }

    private static void Session(List<DateTimeOffset> requests, Random random, DateTimeOffset at)
    {
        do
        {
            if (at >= Begin) requests.Add(at);
            at = at.AddSeconds(Exponential(random) * SecondsOfThought);
        }
        while (random.NextDouble() > 1 / RequestsOfSession);
    }

    private static double Exponential(Random random) => -Math.Log(1 - random.NextDouble());

    private static double Normal(Random random) => Math.Sqrt(2 * Exponential(random)) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static double LogNormal(Random random, double median, double sigma) => median * Math.Exp(sigma * Normal(random));

    // Sizes of firms are of Zipf's kind (Axtell, Science 293, 2001): most are small, and each size has as many people in all as any other.
    private static int FirmSize(Random random) => (int)Math.Min(2 * Math.Pow(1 - random.NextDouble(), -1 / 1.06), 100);

    // System.HashCode differs from run to run.
    private static int HashCode(int seed, int organization) => unchecked((seed * 1_000_003) ^ (organization * 7_919));
}
