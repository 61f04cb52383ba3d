using Silo.Contracts;
using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>A lease as a listing of the heads shows it.</summary>
/// <param name="Organization">Whose lease.</param>
/// <param name="State">What its owner does.</param>
/// <param name="Epoch">The owner's epoch.</param>
/// <param name="ClusterId">The owner's cluster.</param>
/// <param name="Silo">The owner's silo.</param>
/// <param name="TimeToLive">For how long after <paramref name="Updated"/> it runs; zero when the head does not say.</param>
/// <param name="Updated">When it was last renewed, by the bucket's clock.</param>
/// <param name="ServerTime">The bucket's clock when it was listed, to the second.</param>
/// <param name="ObjectGeneration">The head's generation.</param>
public sealed record LeaseEntry(
    OrganizationId Organization, HeadState State, long Epoch, string ClusterId, string Silo, TimeSpan TimeToLive,
    DateTimeOffset Updated, DateTimeOffset ServerTime, long ObjectGeneration)
{
    /// <summary>How long ago it was last renewed, at least.</summary>
    public TimeSpan Age => HeadAge.AtLeast(ServerTime, Updated);

    /// <summary>How long until anyone may take the organization; below zero, since when anyone might have.</summary>
    public TimeSpan LeftOf(LeaseOptions options) => (TimeToLive > TimeSpan.Zero ? TimeToLive : options.TimeToLive) - Age;

    /// <summary>Whether anyone may take the organization.</summary>
    public bool IsOver(LeaseOptions options) => State == HeadState.Released || LeftOf(options) <= TimeSpan.Zero;
}

/// <summary>A page of leases.</summary>
/// <param name="Entries">The leases, by organization.</param>
/// <param name="NextCursor">What the next page is asked for with; null after the last.</param>
public sealed record LeasePage(IReadOnlyList<LeaseEntry> Entries, string? NextCursor);
