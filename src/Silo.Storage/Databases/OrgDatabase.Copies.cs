using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Imports;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Databases;

/// <summary>Copies of an open database, made beside its reads and writes.</summary>
public sealed partial class OrgDatabase
{
    private readonly Lock _copiesLock = new();
    private readonly HashSet<Task> _copies = []; // under _copiesLock
    private readonly CancellationTokenSource _endingCopies = new(); // cancelled under _copiesLock

    /// <summary>Whether it is being copied, so that it is in use.</summary>
    public bool IsCopied
    {
        get
        {
            lock (_copiesLock) return _copies.Count > 0;
        }
    }

    /// <summary>The most that a copy can have, in bytes.</summary>
    internal long MaxCopyBytes => _files.Bytes;

    /// <summary>Writes what it is now to a file of its own.</summary>
    /// <param name="path">A file that does not exist yet.</param>
    /// <param name="maxWriteHold">
    /// A reader that stays keeps the WAL from being reset, so writes wait when it has become long. When one has waited for so long, the
    /// copy is given up.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The moment that the file shows, or a little before.</returns>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.TooManyRequests"/>: writes had to go on. <see cref="OrganizationErrorCode.DatabaseMoved"/>: another
    /// owner has the organization. <see cref="OrganizationErrorCode.DatabaseUnavailable"/>: it is being put away, or the disk refuses.
    /// </exception>
    internal async Task<DateTimeOffset> CopyAsync(string path, TimeSpan maxWriteHold, CancellationToken cancellationToken)
    {
        if (IsMoved) throw MovedAway(null);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _endingCopies.Token);
        var now = _time.GetUtcNow();
        var copy = BeginCopy(path, maxWriteHold, limit.Token);
        try
        {
            if (await copy) return now;
            cancellationToken.ThrowIfCancellationRequested();
            if (_endingCopies.IsCancellationRequested) throw Unavailable("The database is being put away.", null);
            LogCopyGivenUp(Organization, maxWriteHold.TotalSeconds);
            throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "So much is written to the organization that its writes would have to wait for the copy. Ask for it again at a quieter time.")
            {
                RetryAfter = TimeSpan.FromSeconds(30),
            };
        }
        catch (SqliteException e) when (e.SqliteErrorCode is DiskFull or InputOutput)
        {
            throw Unavailable("The silo's disk refused the copy.", e);
        }
        finally
        {
            lock (_copiesLock) _copies.Remove(copy);
        }
    }

    /// <summary>Reads the file with connections of one's own, which is not deleted meanwhile.</summary>
    /// <param name="read">Given the file; to end soon when its token is cancelled.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>: it is being put away.</exception>
    internal async Task<T> ReadFileAsync<T>(Func<string, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _endingCopies.Token);
        Task<T> reading;
        lock (_copiesLock)
        {
            if (_endingCopies.IsCancellationRequested) throw Unavailable("The database is being put away.", null);
            _copies.Add(reading = Task.Run(() => read(_files.Database, limit.Token), CancellationToken.None));
        }
        try
        {
            return await reading;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unavailable("The database is being put away.", e);
        }
        finally
        {
            lock (_copiesLock) _copies.Remove(reading);
        }
    }

    private Task<bool> BeginCopy(string path, TimeSpan maxWriteHold, CancellationToken cancellationToken)
    {
        lock (_copiesLock)
        {
            if (_endingCopies.IsCancellationRequested) throw Unavailable("The database is being put away.", null);
            var copy = BackgroundThread.RunAsync(() => DatabaseCopy.TryWrite(
                _files.Database, path, () => cancellationToken.IsCancellationRequested || _interlock.Held > maxWriteHold));
            _copies.Add(copy);
            return copy;
        }
    }

    /// <summary>Gives up what is being copied, and admits no more: nothing may have the file open when it goes.</summary>
    private async Task EndCopiesAsync()
    {
        Task[] copies;
        lock (_copiesLock)
        {
            _endingCopies.Cancel();
            copies = [.. _copies];
        }
        await Task.WhenAll(copies).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: a copy was given up, because a write had waited {Seconds} s for it")]
    private partial void LogCopyGivenUp(OrganizationId organization, double seconds);
}
