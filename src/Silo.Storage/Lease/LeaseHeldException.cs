using Silo.Contracts;
using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>An organization has a live owner: its lease runs.</summary>
public sealed class LeaseHeldException(OrganizationId organization, HeadOwner owner, TimeSpan left)
    : Exception($"Organization {organization}: silo {owner.Silo} of cluster {owner.ClusterId} owns it; its lease runs for {left.TotalSeconds:0.#} s unless it is renewed. Stop that silo, or wait.")
{
    /// <summary>The owner.</summary>
    public HeadOwner Owner { get; } = owner;

    /// <summary>How long the lease runs at most, unless it is renewed.</summary>
    public TimeSpan Left { get; } = left;
}
