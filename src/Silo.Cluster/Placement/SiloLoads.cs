using System.Collections.Concurrent;
using Silo.Cluster.Databases;

namespace Silo.Cluster.Placement;

/// <summary>
/// What every silo carries, asked of each once a second, with what was placed since. A silo that does not answer keeps what it said
/// last: who is gone is the membership's to say.
/// </summary>
internal sealed partial class SiloLoads(SiloDatabasesClient silos, SiloResources resources, ISiloStatusOracle membership, TimeProvider time, ILogger<SiloLoads> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<SiloAddress, Entry> _loads = new();

    private sealed class Entry
    {
        private long _placed;

        public SiloLoad? Load { get; private set; }

        public double Cost => Load?.With((int)Interlocked.Read(ref _placed)).Cost ?? 0;

        public bool HasRoom(double maxFill) => Load?.With((int)Interlocked.Read(ref _placed)) is { IsCutOff: false } load
            && load.Databases < maxFill * load.MaxDatabases && load.MemoryUse < load.MaxMemoryUse;

        public void Said(SiloLoad load)
        {
            Load = load;
            Interlocked.Exchange(ref _placed, 0);
        }

        public void Placed() => Interlocked.Increment(ref _placed);
    }

    /// <summary>Whether the bucket has just answered a silo, by what it said last. One that does not know is not counted.</summary>
    public bool AnyReachesTheBucket => _loads.Values.Any(entry => entry.Load is { ReachesBucket: true });

    /// <summary>Whether the silo that gets the next database has room for one that nobody has asked for.</summary>
    /// <param name="maxFill">Up to which share of what a silo may hold, 0 to 1.</param>
    public bool HasRoom(double maxFill) => _loads.Values.Where(entry => entry.Load is not null).MinBy(entry => entry.Cost) is { } next && next.HasRoom(maxFill);

    /// <summary>The silo that an organization costs least on, and counts it there.</summary>
    public SiloAddress Place(ReadOnlySpan<SiloAddress> candidates)
    {
        // From anywhere on, so that silos that cost the same share what comes.
        var start = Random.Shared.Next(candidates.Length);
        var (best, cost) = (candidates[start], CostOf(candidates[start]));
        for (var i = 1; i < candidates.Length; i++)
        {
            var candidate = candidates[(start + i) % candidates.Length];
            if (CostOf(candidate) is var other && other < cost) (best, cost) = (candidate, other);
        }
        _loads.GetOrAdd(best, _ => new Entry()).Placed();
        return best;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var active = membership.GetActiveSilos();
            // Alone, there is nobody to give a database to or to take one from.
            if (active.Length > 1) resources.ProbeBucket();
            foreach (var gone in _loads.Keys.Except(active)) _loads.TryRemove(gone, out _);
            await Task.WhenAll(active.Select(silo => AskAsync(silo, stoppingToken)));
            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private double CostOf(SiloAddress silo) => _loads.TryGetValue(silo, out var entry) ? entry.Cost : 0;

    private async Task AskAsync(SiloAddress silo, CancellationToken cancellationToken)
    {
        try
        {
            var load = await silos.On(silo).Load().WaitAsync(Interval, time, cancellationToken);
            _loads.GetOrAdd(silo, _ => new Entry()).Said(load);
        }
        catch (Exception e) when (e is TimeoutException or OrleansException or OperationCanceledException)
        {
            if (!cancellationToken.IsCancellationRequested) LogNoAnswer(silo, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} did not say what it carries: {Problem}")]
    private partial void LogNoAnswer(SiloAddress silo, string problem);
}
