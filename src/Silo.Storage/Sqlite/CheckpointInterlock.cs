using Silo.Contracts;
using Silo.Storage.Contacts;
using Silo.Storage.Litestream;

namespace Silo.Storage.Sqlite;

/// <summary>
/// Keeps commits away from Litestream's checkpoints. Litestream copies the WAL and then checkpoints it without holding the
/// write lock; a commit between the two is backfilled, overwritten and never copied. Since this process has the only writer,
/// and Litestream checkpoints only at a WAL of <see cref="LitestreamOptions.CheckpointPages"/> frames, it is enough to hold
/// the next commit from there until the WAL was reset.
/// </summary>
/// <remarks>
/// Used under the write lock only, but for <see cref="Held"/>. The WAL is reset by the first write after a whole checkpoint, Litestream's own, and only if no
/// reader that began before is still reading: reads that overlap without a gap would keep it from ever happening.
/// </remarks>
/// <param name="writer">Measures the WAL.</param>
/// <param name="readers">Stand back if the WAL is not reset beside them.</param>
/// <param name="options">The limits.</param>
/// <param name="monitorInterval">How often Litestream looks, and so how often it tries.</param>
/// <param name="time">The clock.</param>
internal sealed class CheckpointInterlock(OrgWriter writer, ContactReaderPool readers, LitestreamOptions options, TimeSpan monitorInterval, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>Beside the interval, what a look and a checkpoint may take.</summary>
    private static readonly TimeSpan CheckpointAllowance = TimeSpan.FromMilliseconds(500);

    private int _frames = int.MaxValue; // unknown: look before the first commit
    private long _heldSince; // 0 while no commit is held; read by any thread

    /// <summary>For how long a commit has been held until now; zero when none is. Not only under the write lock.</summary>
    public TimeSpan Held => Volatile.Read(ref _heldSince) is var since and not 0 ? time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>Takes note of where a commit ended.</summary>
    public void Committed(WalPosition end) => _frames = end.Frames;

    /// <summary>Whether a commit need not wait.</summary>
    public bool IsOpen
    {
        get
        {
            if (_frames >= options.CheckpointPages) _frames = writer.MeasureWal().Frames;
            return _frames < options.CheckpointPages;
        }
    }

    /// <summary>Waits, if the WAL is long enough for a checkpoint, until it was reset.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.TooManyRequests"/>: it was not reset in time.</exception>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        if (!IsOpen) await WaitForResetAsync(cancellationToken);
    }

    private async Task WaitForResetAsync(CancellationToken cancellationToken)
    {
        var turn = monitorInterval + CheckpointAllowance;
        var since = time.GetTimestamp();
        Volatile.Write(ref _heldSince, since);
        try
        {
            while (!IsOpen)
            {
                var held = time.GetElapsedTime(since);
                if (held > options.CheckpointWait)
                {
                    throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "The replica is too far behind to take more writes now; nothing was changed.")
                    {
                        RetryAfter = TimeSpan.FromSeconds(5),
                    };
                }
                // By turns: once beside the readers, which nearly always does, then once without them.
                if ((held.Ticks / turn.Ticks) % 2 == 1) readers.Pause();
                else readers.Resume();
                await Task.Delay(PollInterval, time, cancellationToken);
            }
        }
        finally
        {
            Volatile.Write(ref _heldSince, 0);
            readers.Resume();
        }
    }
}
