using Silo.Contracts.Imports;

namespace Silo.Storage.Imports;

/// <summary>One import of an activation, and how far it has come. Written by whoever works on it, read by any thread.</summary>
internal sealed class ImportRun(StagedImport import, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly List<ImportError> _errors = [];
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImportStatus _status = new() { Id = import.Id, State = ImportState.Queued, Received = import.Bytes, StartedAt = import.ReceivedAt };
    private long _processed;
    private long _failed;

    public StagedImport Import => import;

    /// <summary>Completes when its note is in the bucket, and fails with what its sender is told when that is not confirmed.</summary>
    public Task Accepted => _accepted.Task;

    /// <summary>Completes with its end.</summary>
    public Task Over => _over.Task;

    /// <summary>How far it has come.</summary>
    public ImportStatus Status
    {
        get
        {
            lock (_lock)
            {
                if (_status.IsOver) return _status;
                return Counted(_status with { RowsPerSecond = Rate(Volatile.Read(ref _processed), time.GetUtcNow()) });
            }
        }
    }

    /// <summary>Its note is in the bucket.</summary>
    public void Accept() => _accepted.TrySetResult();

    /// <summary>It is not known to be there.</summary>
    public void Refuse(Exception refusal)
    {
        _accepted.TrySetException(refusal);
        _ = _accepted.Task.Exception; // seen, also when nobody asks
    }

    /// <summary>Its file is read, from the beginning.</summary>
    public void Reading()
    {
        lock (_lock)
        {
            (_processed, _failed) = (0, 0);
            _errors.Clear();
            _status = _status with { State = ImportState.Running, Phase = ImportPhase.Reading, Total = null };
        }
    }

    /// <summary>A row was read.</summary>
    public void Read(ImportRow row)
    {
        Volatile.Write(ref _processed, _processed + 1);
        if (row.Fields is not null) return;
        lock (_lock)
        {
            _failed++;
            if (_errors.Count < ImportStatus.MaxErrors) _errors.Add(row.Error);
        }
    }

    /// <summary>All rows were read, and go into the database as soon as it is their turn.</summary>
    public void Merging(ContactColumns columns)
    {
        lock (_lock) _status = _status with { Phase = ImportPhase.Merging, Total = _processed, UnknownColumns = columns.Unknown };
    }

    /// <summary>What it comes to once these rows are in the database.</summary>
    public ImportStatus Merged(MergeCounts counts, long duplicates)
    {
        var now = time.GetUtcNow();
        lock (_lock)
        {
            return Counted(_status) with
            {
                State = ImportState.Completed,
                Phase = null,
                Imported = counts.Imported,
                Updated = counts.Updated,
                Skipped = counts.Skipped + duplicates,
                Transactions = counts.Transactions,
                MergedAt = now,
                RowsPerSecond = Rate(_processed, now),
            };
        }
    }

    /// <summary>What it comes to when nothing was changed.</summary>
    public ImportStatus Failed(ImportError cause)
    {
        lock (_lock)
        {
            var status = Counted(_status);
            return status with
            {
                State = ImportState.Failed,
                Phase = null,
                RowsPerSecond = 0,
                FinishedAt = time.GetUtcNow(),
                Errors = [cause, .. status.Errors.Take(ImportStatus.MaxErrors - 1)],
            };
        }
    }

    /// <summary>What came of it is in the database; the bucket is waited for.</summary>
    public void Replicating(ImportStatus outcome)
    {
        lock (_lock)
        {
            (_processed, _failed) = (outcome.Processed, outcome.Failed);
            _errors.Clear();
            _errors.AddRange(outcome.Errors);
            _status = outcome with { State = ImportState.Running, Phase = ImportPhase.Replicating, FinishedAt = null };
        }
    }

    /// <summary>It is over.</summary>
    public void End(ImportStatus outcome)
    {
        lock (_lock) _status = outcome;
        _over.TrySetResult();
    }

    private ImportStatus Counted(ImportStatus status) => status with { Processed = Volatile.Read(ref _processed), Failed = _failed, Errors = [.. _errors] };

    private double Rate(long rows, DateTimeOffset until) => until > import.ReceivedAt ? Math.Round(rows / (until - import.ReceivedAt).TotalSeconds, 1) : 0;
}
