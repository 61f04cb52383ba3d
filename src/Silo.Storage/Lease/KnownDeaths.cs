using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>
/// Owners that their cluster has declared dead. Their organizations need not wait for the ends of their leases, only for the last
/// uploads of the Litestreams that they left.
/// </summary>
public sealed class KnownDeaths(IOptions<LeaseOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string ClusterId, string Silo), long> _deaths = new();

    /// <summary>A silo is dead; the first time counts.</summary>
    public void Add(string clusterId, string silo)
    {
        if (!options.Value.TrustMembership) return;
        _deaths.TryAdd((clusterId, silo), time.GetTimestamp());
        // A lease that has run out needs no death any more.
        foreach (var (key, since) in _deaths)
            if (time.GetElapsedTime(since) > options.Value.TimeToLive + options.Value.DrainTime) _deaths.TryRemove(key, out _);
    }

    /// <summary>How long its death has been known; null when it is not known to be dead.</summary>
    public TimeSpan? Since(HeadOwner owner) =>
        _deaths.TryGetValue((owner.ClusterId, owner.Silo), out var since) ? time.GetElapsedTime(since) : null;
}
