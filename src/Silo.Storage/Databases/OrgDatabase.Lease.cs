using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Silo.Contracts;

namespace Silo.Storage.Databases;

/// <summary>What the lease asks of an open database: no writes without it, and marks that its renewals carry into the head.</summary>
public sealed partial class OrgDatabase
{
    private Task _stamping = Task.CompletedTask; // of the renewing task
    private long _durableMark; // of the renewing task
    private volatile Mark? _lastMark; // of this activation; written under the write lock

    private sealed record Mark(long Commit, long Value);

    /// <summary>Completes when another owner has the organization.</summary>
    public Task Moved => _lease.Moved;

    /// <summary>For how long writes are taken without another renewal of the lease; zero while they are refused.</summary>
    public TimeSpan LeaseLeft => _lease.Left;

    /// <summary>Refuses when another owner has the organization, or may have it by now.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseMoved"/>.</exception>
    private void RequireLease()
    {
        if (_lease.IsRunning && _litestream.Moved is null) return;
        if (_litestream.Moved is { } moved) throw MovedAway(moved);
        if (_lease.Moved.IsCompleted) throw MovedAway(null);
        throw new OrganizationException(
            OrganizationErrorCode.DatabaseMoved,
            "This owner could not renew its lease, so another one may serve the organization now. If this was a write, it may or may not be kept.")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };
    }

    /// <summary>
    /// Says up to which mark the bucket has the file, and has the file marked anew if it was written to since the last mark. That mark
    /// goes into the head with a later renewal, once it is in the bucket; a renewal waits for nothing.
    /// </summary>
    private long NoteDurableMark()
    {
        if (!_stamping.IsCompleted) return _durableMark;
        if (_lastMark is { } last && last.Commit <= _tracker.DurableCommit) _durableMark = last.Value;
        // A mark is a commit too, and it is the last one then: a database that nobody writes to is not marked again.
        if (!_closing && _lease.IsRunning && _litestream.Published.IsCompletedSuccessfully && _tracker.LastCommit != (_lastMark?.Commit ?? 0)) _stamping = StampAsync();
        return _durableMark;
    }

    private async Task StampAsync()
    {
        try
        {
            await MarkAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is SqliteException or OrganizationException)
        {
            // The next renewal tries again, and the last upload makes a mark of its own.
            LogNotStamped(Organization, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the file could not be marked: {Problem}")]
    private partial void LogNotStamped(OrganizationId organization, string problem);
}
