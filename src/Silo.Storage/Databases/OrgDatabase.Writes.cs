using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Contacts;
using Silo.Storage.Gcs;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Databases;

/// <summary>
/// Writes queue, and one of them leads: it takes the write lock, runs all that wait by then, one after the other, in one transaction,
/// and goes on until none is left. Writes that come together so share a commit, and the pages that each would have written to the WAL,
/// and Litestream copied, compressed and uploaded.
/// </summary>
public sealed partial class OrgDatabase
{
    private readonly ConcurrentQueue<QueuedWrite> _queue = new(); // only who leads takes from it
    private readonly List<QueuedWrite> _turn = []; // of who leads, under the write lock
    private int _waitingWrites;
    private int _isLed; // 1 while somebody leads
    private bool _saidUnpublished; // under the write lock

    /// <summary>Runs a change in its turn and takes note of where its commit ended.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.TooManyRequests"/> when too many wait or the replica is too far behind;
    /// <see cref="OrganizationErrorCode.DatabaseMoved"/> when another owner has the organization, or may have it by now;
    /// <see cref="OrganizationErrorCode.DatabaseUnavailable"/> when the disk refuses, or while the database is put away.
    /// </exception>
    private async Task<CommittedContact> WriteAsync(DatabaseOperation operation, string id, Func<ContactWriter, CommittedContact> change, CancellationToken cancellationToken)
    {
        using var span = SiloActivities.StartOperation(operation.Name);
        if (Interlocked.Increment(ref _waitingWrites) > _options.MaxWaitingWrites)
        {
            Interlocked.Decrement(ref _waitingWrites);
            throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "Too many writes of this organization wait already.") { RetryAfter = TimeSpan.FromSeconds(1) };
        }
        try
        {
            if (WriteDelay is { Ticks: > 0 } delay) await Task.Delay(delay, _time, cancellationToken);
            var write = new QueuedWrite(operation, id, change, _time.GetTimestamp(), span);
            _queue.Enqueue(write);
            // On a thread of the pool: SQLite blocks, and what the first one traces is not everybody's. Behind all that waits for a thread:
            // the busier the machine, the more writes are there by then.
            if (Interlocked.Exchange(ref _isLed, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(static database => _ = database.LeadAsync(), this, preferLocal: false);
            return await write.EndAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waitingWrites);
        }
    }

    private async Task LeadAsync()
    {
        do
        {
            while (_queue.TryPeek(out var first)) await TakeTurnAsync(first);
            Interlocked.Exchange(ref _isLed, 0);
        }
        // A write that came between the last look and this found somebody leading, and left it at that.
        while (!_queue.IsEmpty && Interlocked.Exchange(ref _isLed, 1) == 0);
    }

    private async Task TakeTurnAsync(QueuedWrite first)
    {
        try
        {
            await EnterWriteAsync(first.Arrived);
        }
        catch (Exception e)
        {
            // Its time is over. Those behind it came later and may wait on.
            _queue.TryDequeue(out _);
            if (first.Take()) first.Refuse(e);
            return;
        }
        try
        {
            await PrepareWriteAsync();
            TakeWaiting();
            var commit = Commit();
            // The process may have been stopped for minutes since it looked; what it committed then is not promised to anyone.
            RequireLease();
            foreach (var write in _turn) write.End(commit, _metrics);
        }
        catch (Exception e)
        {
            // What keeps one from its turn keeps all. Without a caller of its own, this is where everything is told to those that wait.
            if (_turn.Count == 0) TakeWaiting();
            foreach (var write in _turn) write.Refuse(e);
        }
        finally
        {
            _turn.Clear();
            _writeLock.Release();
        }
    }

    private void TakeWaiting()
    {
        while (_turn.Count < _options.MaxWritesPerCommit && _queue.TryDequeue(out var write))
        {
            if (write.Take()) _turn.Add(write);
        }
    }

    private async Task PrepareWriteAsync()
    {
        if (_closing) throw Unavailable("The database is being put away.", null);
        RequireLease();
        await AskCatalogAsync(CancellationToken.None);
        if (!_litestream.Published.IsCompletedSuccessfully) await WaitPublishedAsync();
        await _interlock.WaitAsync(CancellationToken.None);
        RequireLease(); // the waits until here may have been long
    }

    private long Commit()
    {
        foreach (var write in _turn) _metrics.Entered(write.Arrived);
        try
        {
            using var change = _cache.BeginChange([.. _turn.Select(static write => write.Contact)]);
            // One statement is a transaction by itself.
            if (_turn.Count > 1) _writer.Transact(RunTurn);
            else RunTurn();
        }
        catch (SqliteException e) when (e.SqliteErrorCode is DiskFull or InputOutput)
        {
            LogDiskRefused(Organization, e.Message);
            throw Unavailable("The silo's disk refused the write; nothing was changed.", e);
        }
        if (!_turn.Exists(static write => write.IsDone)) return 0;
        return NoteCommit(_turn.Exists(static write => write.TracedBy is not null) ? [.. _turn.Select(write => write.TracedBy).OfType<ActivityContext>()] : []);
    }

    private void RunTurn()
    {
        foreach (var write in _turn) write.Run(_contacts, _time);
    }

    private long NoteCommit(params ReadOnlySpan<ActivityContext> tracedBy)
    {
        var end = _writer.MeasureWal();
        _interlock.Committed(end);
        var commit = _tracker.Committed(end, tracedBy, out var confirmed);
        _litestream.Confirmed(confirmed);
        return commit;
    }

    private async ValueTask AskCatalogAsync(CancellationToken cancellationToken)
    {
        if (_watch is not { } watch) return;
        try
        {
            // No longer than a write may wait: those behind this one have nobody else to end their waiting.
            await watch.BeforeWriteAsync(cancellationToken).WaitAsync(_options.MaxWriteWait, _time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw Unavailable("The catalog of organizations does not answer, so nothing is written. Reads go on.", e);
        }
        // Another one may have begun meanwhile.
        Interlocked.CompareExchange(ref _watch, null, watch);
    }

    /// <summary>
    /// Before the first publication a killed silo's rows would be in no generation that the next owner restores, so a write waits
    /// for it; but not for long, since a local write is promised on this machine first.
    /// </summary>
    private async Task WaitPublishedAsync()
    {
        try
        {
            var left = _litestreamOptions.PublishWait - _time.GetElapsedTime(_openedAt);
            await _litestream.Published.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
        }
        catch (TimeoutException) when (!_saidUnpublished)
        {
            _saidUnpublished = true;
            LogUnpublishedWrite(Organization, _litestreamOptions.PublishWait.TotalSeconds);
        }
        catch (TimeoutException)
        {
            // Said once.
        }
        catch (Exception e) when (e is HeadMovedException or HeadException)
        {
            throw MovedAway(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the disk refused a write: {Problem}")]
    private partial void LogDiskRefused(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: a write went on although no generation is published after {Seconds} s")]
    private partial void LogUnpublishedWrite(OrganizationId organization, double seconds);
}
