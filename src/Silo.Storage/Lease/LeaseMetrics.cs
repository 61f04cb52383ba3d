using System.Diagnostics.Metrics;
using Silo.Storage.Gcs;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Lease;

/// <summary>How leases are taken, kept and lost.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class LeaseMetrics(IMeterFactory meters)
{
    private readonly EventCounts _acquisitions = new(
        meters.CreateSilo(), "silo.lease.acquisitions", "{acquisition}", "Leases that were taken, by what was there before: nothing, one given back, one of an owner that is gone; or refused.",
        "outcome", "new", "given_back", "taken_over", "held");

    private readonly EventCounts _renewals = new(
        meters.CreateSilo(), "silo.lease.renewals", "{renewal}", "Renewals; one that failed is tried again within a second.", "outcome", "renewed", "failed");

    private readonly EventCounts _losses = new(
        meters.CreateSilo(), "silo.lease.losses", "{loss}", "Leases that ended while the database was in use: moved to another owner, or expired until they can be renewed.",
        "reason", "moved", "expired");

    /// <summary>An organization was taken.</summary>
    /// <param name="previous">The head before.</param>
    public void Taken(OrganizationHead? previous) => _acquisitions.Add(previous switch
    {
        null => "new",
        { State: HeadState.Released } => "given_back",
        _ => "taken_over",
    });

    /// <summary>An organization has a live owner.</summary>
    public void Held() => _acquisitions.Add("held");

    /// <summary>A lease was renewed.</summary>
    public void Renewed() => _renewals.Add("renewed");

    /// <summary>A renewal failed.</summary>
    public void NotRenewed() => _renewals.Add("failed");

    /// <summary>A lease has run out.</summary>
    public void Expired() => _losses.Add("expired");

    /// <summary>Another owner has the organization.</summary>
    public void Moved() => _losses.Add("moved");
}
