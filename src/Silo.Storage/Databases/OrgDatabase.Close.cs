using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Databases;

public sealed partial class OrgDatabase
{
    private static readonly TimeSpan ReleaseTimeout = TimeSpan.FromSeconds(5);

    private bool _closed; // under the write lock
    private long _markedCommit; // under the write lock; below 0 while the file has what no commit of this activation brought in

    /// <summary>
    /// Puts the database away: no more writes, everything into the bucket with proof, Litestream ended, the lease given back, the
    /// files deleted. What cannot be proven is not deleted (invariant 3).
    /// </summary>
    /// <exception cref="FlushException">The bucket did not confirm everything in time. The database serves on, and this may be tried again.</exception>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        _closing = true;
        // Of an organization that has another owner there is nothing to flush to; then nothing is proven either.
        var proven = !IsMoved;
        if (proven)
        {
            try
            {
                await FlushAsync(cancellationToken);
            }
            catch
            {
                _closing = false;
                throw;
            }
        }
        if (!await BeginCloseAsync()) return;

        // From here on nothing on this machine is needed any more, unless the organization has another owner, who restored what the bucket
        // had before. While the lease runs there is none, and whoever comes later restores all of this.
        var wasOurs = _lease.IsRunning;
        try
        {
            await CloseFileAsync();
            var isOurs = await ReleaseAsync();
            if (isOurs is null && !wasOurs && HasOwnRows) LogAbandoned(Organization, _files.Database);
            else if (isOurs != false && (proven || !HasOwnRows)) _files.Delete();
            else LogSetAside(Organization, _files.SetAside(_time.GetUtcNow()));
        }
        finally
        {
            await EndLeaseAsync();
        }
    }

    /// <summary>
    /// Waits until the bucket holds every commit made so far, the last one being a mark that the next owner must find. Reads and
    /// writes go on meanwhile.
    /// </summary>
    /// <exception cref="FlushException">The bucket did not confirm them in time.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var since = _metrics.Begin();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.FlushTimeout);
        try
        {
            var mark = await MarkAsync(limit.Token);
            if (mark <= 0) return;
            await _litestream.Published.WaitAsync(limit.Token);
            await _tracker.WaitAsync(mark, limit.Token);
            _metrics.Flushed(since, isConfirmed: true);
        }
        catch (Exception e) when (e is OperationCanceledException or HeadMovedException or HeadException or OrganizationException or SqliteException or IOException)
        {
            _metrics.Flushed(since, isConfirmed: false);
            throw new FlushException(Organization, _tracker.LastCommit - _tracker.DurableCommit, Problem ?? e.Message, e);
        }
    }

    /// <summary>The head names these rows: a crash from now on leaves them as any other database's.</summary>
    internal void Confirm() => _files.UnmarkChosen();

    /// <summary>Ends everything and leaves the files where they are, for the next start on this machine.</summary>
    public async Task AbandonAsync()
    {
        _closing = true;
        if (!await BeginCloseAsync()) return;
        try
        {
            await CloseFileAsync();
            LogAbandoned(Organization, _files.Database);
        }
        finally
        {
            await EndLeaseAsync();
        }
    }

    /// <summary>Ends everything that still runs; files that were not put away stay.</summary>
    public async ValueTask DisposeAsync() => await AbandonAsync();

    /// <summary>Raises the file's mark if there were commits since it was last raised.</summary>
    /// <returns>The commit to wait for; 0 when there is nothing that the bucket does not have.</returns>
    private async Task<long> MarkAsync(CancellationToken cancellationToken)
    {
        await _writeLock.WaitAsync(cancellationToken);
        try
        {
            if (_closed || _tracker.LastCommit == _markedCommit) return _markedCommit;
            await _interlock.WaitAsync(cancellationToken);
            return await Task.Run(
                () =>
                {
                    _highWater = OrgSchema.RaiseHighWater(_writer.Connection);
                    _markedCommit = NoteCommit();
                    _lastMark = new Mark(_markedCommit, _highWater);
                    return _markedCommit;
                }, CancellationToken.None);
        }
        finally
        {
            _writeLock.Release();
        }
    }

    /// <summary>Whether the file may have rows that no other owner could restore.</summary>
    private bool HasOwnRows => _tracker.LastCommit > 0 || _markedCommit != 0;

    /// <summary>Lets the running write end and admits no other; false when somebody else closes already.</summary>
    private async Task<bool> BeginCloseAsync()
    {
        await _writeLock.WaitAsync(CancellationToken.None);
        try
        {
            return !_closed && (_closed = true);
        }
        finally
        {
            _writeLock.Release();
        }
    }

    private async Task CloseFileAsync()
    {
        await EndCopiesAsync();
        ReleaseCheckpoint();
        try
        {
            await _litestream.StopAsync();
        }
        finally
        {
            _cache.Close();
            _readers.Dispose();
            await Task.Run(
                () =>
                {
                    _contacts.Dispose();
                    _writer.Dispose();
                }, CancellationToken.None);
        }
    }

    private async Task EndLeaseAsync()
    {
        try
        {
            await _lease.DisposeAsync();
        }
        finally
        {
            _afterClose();
        }
    }

    /// <summary>Gives the lease back, in a time of its own: a flush that took long is no reason to have the next owner wait for its end.</summary>
    /// <returns>False when the organization has another owner, who restored without what only this file may have; null when the bucket does not tell.</returns>
    private async Task<bool?> ReleaseAsync()
    {
        using var limit = new CancellationTokenSource(ReleaseTimeout, _time);
        try
        {
            await _lease.ReleaseAsync(_highWater, limit.Token);
            return true;
        }
        catch (HeadMovedException e)
        {
            LogReleaseRefused(Organization, e.Message);
            return !HasOwnRows;
        }
        catch (Exception e) when (e is BucketException or HeadException or OperationCanceledException)
        {
            // The next owner takes the lease from us.
            LogNotReleased(Organization, e.Message);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the lease could not be given back and will be taken over: {Problem}")]
    private partial void LogNotReleased(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: {Problem} Compare the file that is set aside with what is served now")]
    private partial void LogReleaseRefused(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the file is kept at {Path}")]
    private partial void LogSetAside(OrganizationId organization, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: not everything is proven to be in the bucket; the file stays at {Path} and is picked up at the next start on this machine")]
    private partial void LogAbandoned(OrganizationId organization, string path);
}

/// <summary>A database could not be put away, because the bucket did not confirm its last commits.</summary>
public sealed class FlushException(OrganizationId organization, long commits, string problem, Exception? innerException = null)
    : Exception($"Organization {organization}: {commits} commits are not confirmed by the bucket ({problem}). The database stays active and tries again.", innerException);
