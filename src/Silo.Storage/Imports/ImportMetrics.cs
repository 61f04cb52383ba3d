using System.Diagnostics.Metrics;
using Silo.Contracts.Imports;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Imports;

/// <summary>What came of imports.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class ImportMetrics(IMeterFactory meters)
{
    private readonly Histogram<double> _duration = meters.CreateSilo().CreateSeconds(
        "silo.import.duration", "From an import's acceptance until the bucket has it, or until it has failed.", SiloMeter.LongSeconds);

    private readonly Counter<long> _rows = meters.CreateSilo().CreateCounter<long>("silo.import.rows", "{row}", "Rows of imports that have ended, by what became of them.");

    private readonly Counter<long> _retries = meters.CreateSilo().CreateCounter<long>("silo.import.retries", "{retry}", "Attempts at an import that came to nothing and are repeated.");

    /// <summary>An import is over.</summary>
    public void Ended(ImportStatus outcome)
    {
        var isCompleted = outcome.State == ImportState.Completed;
        if (outcome is { StartedAt: var begun, FinishedAt: { } ended })
            _duration.Record(Math.Max(0, (ended - begun).TotalSeconds), new KeyValuePair<string, object?>("outcome", isCompleted ? "completed" : "failed"));
        Add(outcome.Failed, "failed");
        // What a failed import says of other rows never came into the database.
        if (!isCompleted) return;
        Add(outcome.Imported, "imported");
        Add(outcome.Updated, "updated");
        Add(outcome.Skipped, "skipped");
    }

    /// <summary>An import is tried again.</summary>
    public void Retried() => _retries.Add(1);

    private void Add(long rows, string outcome)
    {
        if (rows > 0) _rows.Add(rows, new KeyValuePair<string, object?>("outcome", outcome));
    }
}
