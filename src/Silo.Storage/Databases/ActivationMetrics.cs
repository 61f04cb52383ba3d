using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Databases;

/// <summary>How openings of databases end, and how long they and their phases take.</summary>
internal sealed class ActivationMetrics
{
    public const string New = "new";
    public const string Restored = "restored";
    public const string Continued = "continued";
    public const string Chosen = "chosen";

    private static readonly string[] Outcomes = [New, Restored, Continued, Chosen, "timeout", "held", "moved", "bucket", "disk", "unproven"];

    private readonly EventCounts _activations;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _phase;

    public ActivationMetrics(IMeterFactory meters)
    {
        var meter = meters.CreateSilo();
        _activations = new EventCounts(meter, "silo.activations", "{activation}", "Openings of databases, by where the rows came from or by what was in the way.", "outcome", Outcomes);
        _duration = meter.CreateSeconds(
            "silo.activation.duration", "From the first call until the database can serve or is refused, by outcome; 'restored' are the cold starts.", SiloMeter.LongSeconds);
        _phase = meter.CreateSeconds("silo.activation.phase.duration", "The phases of openings that succeeded.", SiloMeter.LongSeconds);
    }

    /// <summary>A database is open.</summary>
    /// <param name="phases">What took how long.</param>
    /// <param name="outcome">Where its rows come from.</param>
    public void Opened(ActivationPhases phases, string outcome)
    {
        Ended(phases, outcome);
        if (!_phase.Enabled) return;
        foreach (var (phase, milliseconds) in phases.Milliseconds) _phase.Record(milliseconds / 1_000, new KeyValuePair<string, object?>("phase", phase));
    }

    /// <summary>A database could not be opened.</summary>
    public void Failed(ActivationPhases phases, Exception cause) => Ended(phases, OutcomeOf(cause));

    private void Ended(ActivationPhases phases, string outcome)
    {
        _activations.Add(outcome);
        _duration.Record(phases.Elapsed.TotalSeconds, new KeyValuePair<string, object?>("outcome", outcome));
    }

    private static string OutcomeOf(Exception cause) => cause switch
    {
        OperationCanceledException => "timeout",
        LeaseHeldException => "held",
        HeadMovedException => "moved",
        BucketException => "bucket",
        IOException or UnauthorizedAccessException or SqliteException { SqliteErrorCode: OrgDatabase.DiskFull or OrgDatabase.InputOutput } => "disk",
        _ => "unproven",
    };
}
