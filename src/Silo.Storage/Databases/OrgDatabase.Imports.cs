using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.Storage.Imports;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Databases;

/// <summary>What imports ask of an open database: one transaction for all of their rows, and the record of what came of them.</summary>
public sealed partial class OrgDatabase
{
    /// <summary>How long a checkpoint is held off for the upload of a merge: other writes wait for that checkpoint.</summary>
    private static readonly TimeSpan HoldLimit = TimeSpan.FromSeconds(5);

    private volatile bool _isMerging;
    private SnapshotHold? _hold; // of the last merge, until it is uploaded

    /// <summary>What came of an import; null when the database knows of none of this id.</summary>
    public ValueTask<ImportRecord?> FindImportAsync(string id, CancellationToken cancellationToken) =>
        _readers.ReadAsync(DatabaseOperation.FindImport, id, static (reader, i) => ImportRecord.Find(reader.Connection, i), cancellationToken);

    /// <summary>A page of the audit trail, newest first.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/>: the cursor is none of ours.</exception>
    public ValueTask<JsonBytes> ListAuditAsync(AuditQuery query, CancellationToken cancellationToken) =>
        _readers.ReadAsync(DatabaseOperation.ListAudit, query, static (reader, q) => ImportRecord.List(reader.Connection, q), cancellationToken);

    /// <summary>Completes when the bucket holds everything that was committed until now, however long that takes.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseMoved"/>, <see cref="OrganizationErrorCode.DatabaseUnavailable"/>.</exception>
    async Task IOrgDatabase.WaitFlushedAsync(CancellationToken cancellationToken)
    {
        for (; ; )
        {
            try
            {
                // What a former activation committed has no number here; a mark that follows it has.
                if (_tracker.LastCommit == 0) await FlushAsync(cancellationToken);
                else await WaitUploadedAsync(_tracker.LastCommit, cancellationToken);
                await _lease.VerifyAsync(cancellationToken);
                return;
            }
            catch (Gcs.HeadMovedException e)
            {
                throw MovedAway(e);
            }
            catch (Exception e) when (e is FlushException or Gcs.BucketException or Gcs.HeadException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (IsMoved) throw MovedAway(e);
                if (_closing) throw Unavailable("The database is being put away.", e);
                await Task.Delay(TimeSpan.FromSeconds(1), _time, cancellationToken);
            }
        }
    }

    /// <summary>Takes staged rows in, in one transaction with their record. Reads go on; other writes wait.</summary>
    /// <param name="merge">The rows.</param>
    /// <param name="record">The record, once the counts are known.</param>
    /// <param name="cancellationToken">Gives up before it begins; what has begun is finished.</param>
    /// <exception cref="OrganizationException">See <see cref="WriteAsync"/>; nothing was changed.</exception>
    /// <exception cref="SqliteException">The disk refuses; nothing was changed.</exception>
    Task<ImportRecord> IOrgDatabase.MergeAsync(PendingMerge merge, Func<MergeCounts, ImportRecord> record, CancellationToken cancellationToken) => WriteRecordAsync(
        () =>
        {
            ImportRecord? done = null;
            var now = _time.GetUtcNow();
            ReleaseCheckpoint();
            _hold = new SnapshotHold(_files.Database);
            new ContactMerge(_writer.Connection, merge.Staged, merge.Columns, merge.Options).Run(
                merge.Import.Options.OverwriteExisting, merge.Import.Options.AgentId is not null, now, counts =>
                {
                    done = record(counts);
                    done.Insert(_writer.Connection, now);
                    // It took seconds: whether this is still the owner must be known before it is too late to undo it.
                    RequireLease();
                });
            return done!;
        }, cancellationToken);

    /// <summary>Writes down that an import came to nothing.</summary>
    /// <exception cref="OrganizationException">See <see cref="WriteAsync"/>.</exception>
    /// <exception cref="SqliteException">The disk refuses.</exception>
    Task<ImportRecord> IOrgDatabase.RecordAsync(ImportRecord record, CancellationToken cancellationToken) => WriteRecordAsync(
        () =>
        {
            record.Insert(_writer.Connection, _time.GetUtcNow());
            return record;
        }, cancellationToken);

    private async Task WaitUploadedAsync(long commit, CancellationToken cancellationToken)
    {
        var uploaded = _tracker.WaitAsync(commit, cancellationToken);
        try
        {
            await uploaded.WaitAsync(HoldLimit, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The bucket is slow; those who want to write have waited long enough.
        }
        finally
        {
            ReleaseCheckpoint();
        }
        await uploaded;
    }

    private void ReleaseCheckpoint() => Interlocked.Exchange(ref _hold, null)?.Dispose();

    private async Task<ImportRecord> WriteRecordAsync(Func<ImportRecord> write, CancellationToken cancellationToken)
    {
        // Not in its turn: while the bucket cannot be reached, other writes go on.
        await WaitUntilPublishedAsync(cancellationToken);
        // It has no client that would come again: it waits for its turn as long as it takes.
        await _writeLock.WaitAsync(cancellationToken);
        _isMerging = true;
        try
        {
            if (_closing) throw Unavailable("The database is being put away.", null);
            RequireLease();
            await AskCatalogAsync(cancellationToken);
            await _interlock.WaitAsync(cancellationToken);
            RequireLease();
            var done = await BackgroundThread.RunAsync(() =>
            {
                var since = _metrics.Begin();
                ImportRecord record;
                using (_cache.BeginChange(null)) record = write();
                _metrics.Ran(DatabaseOperation.Import, since);
                NoteCommit();
                return record;
            });
            RequireLease();
            return done;
        }
        catch
        {
            ReleaseCheckpoint();
            throw;
        }
        finally
        {
            _isMerging = false;
            _writeLock.Release();
        }
    }
}

/// <summary>What a merge takes.</summary>
/// <param name="Import">What was received.</param>
/// <param name="Staged">Its rows.</param>
/// <param name="Columns">The fields that it has.</param>
/// <param name="Options">The limits.</param>
internal sealed record PendingMerge(StagedImport Import, StagingDatabase Staged, ContactColumns Columns, ImportsOptions Options);
