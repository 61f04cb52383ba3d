using Silo.Contracts;
using Silo.Storage.Litestream;

namespace Silo.Storage.Sqlite;

/// <summary>
/// Keeps commits away from Litestream's checkpoints. Litestream copies the WAL and then checkpoints it without holding the
/// write lock; a commit between the two is backfilled, overwritten and never copied. Since this process has the only writer,
/// and Litestream checkpoints only at a WAL of <see cref="LitestreamOptions.CheckpointPages"/> frames, it is enough to hold
/// the next commit from there until the WAL was reset.
/// </summary>
/// <remarks>Used under the write lock only.</remarks>
internal sealed class CheckpointInterlock(OrgWriter writer, LitestreamOptions options, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    private int _frames = int.MaxValue; // unknown: look before the first commit

    /// <summary>Takes note of where a commit ended.</summary>
    public void Committed(WalPosition end) => _frames = end.Frames;

    /// <summary>Waits, if the WAL is long enough for a checkpoint, until it was reset.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.TooManyRequests"/>: it was not reset in time.</exception>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        if (_frames < options.CheckpointPages) return;
        _frames = writer.MeasureWal().Frames;
        if (_frames < options.CheckpointPages) return;

        var since = time.GetTimestamp();
        do
        {
            if (time.GetElapsedTime(since) > options.CheckpointWait)
            {
                throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "The replica is too far behind to take more writes now; nothing was changed.")
                {
                    RetryAfter = TimeSpan.FromSeconds(5),
                };
            }
            await Task.Delay(PollInterval, time, cancellationToken);
            _frames = writer.MeasureWal().Frames;
        }
        while (_frames >= options.CheckpointPages);
    }
}
