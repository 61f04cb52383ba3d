using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;
using Silo.Storage.Telemetry;
using Silo.Storage.Turso;

namespace Silo.Storage.Databases;

/// <summary>How openings of databases end, and how long they and their phases take.</summary>
public sealed class ActivationMetrics
{
    internal const string New = "new"; // without rows
    internal const string Restored = "restored"; // from the bucket
    internal const string Continued = "continued"; // from a file that a crash left
    internal const string Chosen = "chosen"; // an older state, by an operator
    internal const string Connected = "connected"; // on Turso

    private static readonly string[] Outcomes = [New, Restored, Continued, Chosen, Connected, "timeout", "held", "moved", "bucket", "turso", "disk", "unproven"];

    private readonly EventCounts _activations;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _phase;

    /// <summary>Made once per silo.</summary>
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
    internal void Opened(ActivationPhases phases, string outcome)
    {
        Ended(phases, outcome);
        if (!_phase.Enabled) return;
        foreach (var (phase, milliseconds) in phases.Milliseconds) _phase.Record(milliseconds / 1_000, new KeyValuePair<string, object?>("phase", phase));
    }

    /// <summary>A database could not be opened.</summary>
    internal void Failed(ActivationPhases phases, Exception cause) => Ended(phases, OutcomeOf(cause));

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
        TursoException => "turso",
        IOException or UnauthorizedAccessException or SqliteException { SqliteErrorCode: OrgDatabase.DiskFull or OrgDatabase.InputOutput } => "disk",
        _ => "unproven",
    };
}
