using System.Diagnostics.Metrics;
using Silo.Storage.Gcs;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Lease;

/// <summary>How leases are taken, kept and lost.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class LeaseMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _acquisitions = meters.CreateSilo().CreateCounter<long>(
        "silo.lease.acquisitions", "{acquisition}", "Leases that were taken, by what was there before ('taken_over': an owner that did not give it back), or refused ('held').");

    private readonly Counter<long> _renewals = meters.CreateSilo().CreateCounter<long>(
        "silo.lease.renewals", "{renewal}", "Renewals by outcome; a failed one is tried again within a second.");

    private readonly Counter<long> _losses = meters.CreateSilo().CreateCounter<long>(
        "silo.lease.losses", "{loss}", "Leases that ended although the database was in use: 'moved' to another owner, or 'expired' until they can be renewed.");

    /// <summary>An organization was taken.</summary>
    /// <param name="previous">The head before.</param>
    public void Taken(OrganizationHead? previous) => _acquisitions.Add(1, Outcome(previous switch
    {
        null => "new",
        { State: HeadState.Released } => "given_back",
        _ => "taken_over",
    }));

    /// <summary>An organization has a live owner.</summary>
    public void Held() => _acquisitions.Add(1, Outcome("held"));

    /// <summary>A lease was renewed.</summary>
    public void Renewed() => _renewals.Add(1, Outcome("renewed"));

    /// <summary>A renewal failed.</summary>
    public void NotRenewed() => _renewals.Add(1, Outcome("failed"));

    /// <summary>A lease has run out.</summary>
    public void Expired() => _losses.Add(1, new KeyValuePair<string, object?>("reason", "expired"));

    /// <summary>Another owner has the organization.</summary>
    public void Moved() => _losses.Add(1, new KeyValuePair<string, object?>("reason", "moved"));

    private static KeyValuePair<string, object?> Outcome(string outcome) => new("outcome", outcome);
}
