using System.Globalization;
using Silo.Contracts;
using Silo.Storage.Lease;

namespace Silo.Storage.Gcs;

/// <summary>
/// What stands beside a head as the object's metadata, written in the same request: enough to show all leases by a listing, without
/// reading each head. The head itself is what counts.
/// </summary>
internal static class HeadMetadata
{
    private const string State = "state", Epoch = "epoch", TtlMs = "ttlMs", Cluster = "cluster", Silo = "silo";

    public static Dictionary<string, string> Of(OrganizationHead head) => new()
    {
        [State] = head.State.ToString().ToLowerInvariant(),
        [Epoch] = head.Epoch.ToString(CultureInfo.InvariantCulture),
        [TtlMs] = head.TtlMs.ToString(CultureInfo.InvariantCulture),
        [Cluster] = head.Owner.ClusterId,
        [Silo] = head.Owner.Silo,
    };

    /// <summary>The lease that a listed head stands for; null when it has no metadata of ours.</summary>
    public static LeaseEntry? Read(OrganizationId organization, BucketObject listed, DateTimeOffset serverTime) =>
        listed.Metadata is { } metadata
        && Enum.TryParse<HeadState>(metadata.GetValueOrDefault(State), ignoreCase: true, out var state)
        && long.TryParse(metadata.GetValueOrDefault(Epoch), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
        && long.TryParse(metadata.GetValueOrDefault(TtlMs), NumberStyles.None, CultureInfo.InvariantCulture, out var ttlMs)
        && metadata.TryGetValue(Cluster, out var cluster) && metadata.TryGetValue(Silo, out var silo)
            ? new LeaseEntry(organization, state, epoch, cluster, silo, TimeSpan.FromMilliseconds(ttlMs), listed.Updated, serverTime, listed.Generation)
            : null;

    /// <summary>The lease that a head stands for.</summary>
    public static LeaseEntry Describe(OrganizationId organization, StoredHead stored, DateTimeOffset updated, DateTimeOffset serverTime) => new(
        organization, stored.Head.State, stored.Head.Epoch, stored.Head.Owner.ClusterId, stored.Head.Owner.Silo,
        TimeSpan.FromMilliseconds(stored.Head.TtlMs), updated, serverTime, stored.ObjectGeneration);
}
