using System.Diagnostics.Metrics;
using Silo.Contracts.Imports;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Imports;

/// <summary>What came of imports.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class ImportMetrics(IMeterFactory meters)
{
    private readonly Histogram<double> _duration = meters.CreateSilo().CreateSeconds(
        "silo.import.duration", "From an import's arrival until the bucket has it, or until it has failed.", SiloMeter.LongSeconds);

    private readonly EventCounts _imports = new(meters.CreateSilo(), "silo.imports", "{import}", "Imports that have ended.", "outcome", "completed", "failed");

    private readonly EventCounts _rows = new(
        meters.CreateSilo(), "silo.import.rows", "{row}", "Rows of imports that have ended, by what became of them.", "outcome", "imported", "updated", "skipped", "failed");

    private readonly EventCounts _retries = new(meters.CreateSilo(), "silo.import.retries", "{retry}", "Attempts at an import that came to nothing and are repeated.");

    /// <summary>An import is over.</summary>
    public void Ended(ImportStatus outcome)
    {
        var isCompleted = outcome.State == ImportState.Completed;
        _imports.Add(isCompleted ? "completed" : "failed");
        if (outcome is { StartedAt: var begun, FinishedAt: { } ended })
            _duration.Record(Math.Max(0, (ended - begun).TotalSeconds), new KeyValuePair<string, object?>("outcome", isCompleted ? "completed" : "failed"));
        _rows.Add("failed", outcome.Failed);
        // What a failed import says of other rows never came into the database.
        if (!isCompleted) return;
        _rows.Add("imported", outcome.Imported);
        _rows.Add("updated", outcome.Updated);
        _rows.Add("skipped", outcome.Skipped);
    }

    /// <summary>An import is tried again.</summary>
    public void Retried() => _retries.Add();
}
