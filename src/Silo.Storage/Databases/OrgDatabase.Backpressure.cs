using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Databases;

public sealed partial class OrgDatabase
{
    private static readonly TimeSpan MaxWriteDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Takes the write lock, and does not before the bucket has come near enough: from half of <c>Litestream:MaxLagBytes</c> on a
    /// write is delayed, at the limit it waits. It holds nothing meanwhile, so that a flush and reads go on.
    /// </summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.TooManyRequests"/>: the bucket did not catch up in time, or an import's merge took longer.
    /// </exception>
    private async Task EnterWriteAsync(long since)
    {
        for (; ; )
        {
            await WaitForBucketAsync(since);
            var left = _options.MaxWriteWait - _time.GetElapsedTime(since);
            if (!await _writeLock.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero)) throw Busy();
            // An import may have used up what there was.
            if (!IsTooFarAhead) return;
            _writeLock.Release();
        }
    }

    private OrganizationException Busy() => new(
        OrganizationErrorCode.TooManyRequests,
        _isMerging ? "An import is being merged, and takes longer than a write may wait; nothing was changed." : "Too many writes of this organization are before this one; nothing was changed.")
    {
        RetryAfter = TimeSpan.FromSeconds(2),
    };

    /// <summary>Whether a write has to wait. One that is to be refused anyhow has not.</summary>
    private bool IsTooFarAhead => !_closing && !IsMoved && _tracker.LagBytes >= _litestreamOptions.MaxLagBytes;

    private TimeSpan WriteDelay
    {
        get
        {
            var half = _litestreamOptions.MaxLagBytes / 2;
            return MaxWriteDelay * Math.Clamp((double)(_tracker.LagBytes - half) / half, 0, 1);
        }
    }

    private async Task WaitForBucketAsync(long since)
    {
        // Asked for before the look: a confirmation between the two is not missed.
        for (var confirmation = _tracker.NextConfirmation; IsTooFarAhead; confirmation = _tracker.NextConfirmation)
        {
            try
            {
                var left = _options.MaxWriteWait - _time.GetElapsedTime(since);
                await confirmation.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
            }
            catch (TimeoutException e)
            {
                throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "The replica is too far behind to take more writes now; nothing was changed.", e)
                {
                    RetryAfter = TimeSpan.FromSeconds(5),
                };
            }
        }
    }

    /// <summary>Makes a change that means nothing, so that Litestream tries again to upload what it failed to.</summary>
    /// <returns>False when there was no need, or a write is under way, which is a change too.</returns>
    private async Task<bool> PokeAsync()
    {
        if (!await _writeLock.WaitAsync(0, CancellationToken.None)) return false;
        try
        {
            if (_closed || IsMoved || !_litestream.IsBehind) return false;
            return await Task.Run(
                () =>
                {
                    if (!_interlock.IsOpen) return false;
                    OrgSchema.Poke(_writer.Connection);
                    // It counts as a commit only beside others: a database that was only read has nothing that must be flushed.
                    if (_tracker.IsCaughtUp) _interlock.Committed(_writer.MeasureWal());
                    else NoteCommit();
                    return true;
                }, CancellationToken.None);
        }
        catch (Exception e) when (e is SqliteException or IOException)
        {
            LogDiskRefused(Organization, e.Message);
            return false;
        }
        finally
        {
            _writeLock.Release();
        }
    }
}
