using Silo.Storage.Sqlite;

namespace Silo.Storage.Litestream;

/// <summary>
/// Knows which commits the bucket holds, from two sides: where each commit ended in the WAL, and which pieces of the WAL
/// Litestream uploaded. A commit counts only when its piece belongs to the generation that the head names (invariant 4):
/// pieces of a generation that is not published yet are remembered and count from the publication on.
/// </summary>
/// <remarks>Thread-safe: the writer, Litestream's log and waiting callers meet here. No call blocks or calls out under the lock.</remarks>
/// <param name="readSalt">Reads the salt of the WAL as it is now; quick and never blocking.</param>
/// <param name="time">The clock.</param>
public sealed class ReplicationTracker(Func<ulong> readSalt, TimeProvider time)
{
    /// <summary>Commits whose end is remembered one by one; beyond, the newest mark is moved on, which only makes waits longer.</summary>
    private const int MaxMarks = 4096;

    private readonly Lock _lock = new();
    private readonly WalOrder _order = new();
    private readonly Queue<Mark> _marks = new();
    private readonly List<(long Commit, TaskCompletionSource Done)> _waiters = [];
    private Mark _newest;
    private long _durableCommit;
    private string? _published;
    private UploadedWal _uploaded;
    private UploadedWal _confirmed;

    private readonly record struct Mark(long Commit, int Wal, WalPosition End, long Timestamp);

    private readonly record struct UploadedWal(string? Generation, int Wal, ulong Salt, long End);

    /// <summary>The last commit; commits are numbered from 1 in each activation.</summary>
    public long LastCommit
    {
        get { lock (_lock) return _newest.Commit; }
    }

    /// <summary>The last commit that the bucket holds under the published generation.</summary>
    public long DurableCommit
    {
        get { lock (_lock) return _durableCommit; }
    }

    /// <summary>Whether the bucket holds every commit.</summary>
    public bool IsCaughtUp
    {
        get { lock (_lock) return _durableCommit == _newest.Commit; }
    }

    /// <summary>When the bucket last confirmed an upload.</summary>
    public DateTimeOffset? LastUploadAt { get; private set; }

    /// <summary>Takes note of a commit that ended here.</summary>
    /// <returns>The commit's number.</returns>
    public long Committed(WalPosition end)
    {
        lock (_lock)
        {
            var mark = new Mark(_newest.Commit + 1, _order.Of(end.Salt, readSalt()), end, time.GetTimestamp());
            _newest = mark;
            if (_marks.Count < MaxMarks) _marks.Enqueue(mark);
            // A piece that was uploaded already may hold this commit: it was copied between the commit and this call.
            Confirm();
            return mark.Commit;
        }
    }

    /// <summary>Takes note of a piece of the WAL that the bucket confirmed.</summary>
    /// <param name="generation">Its generation.</param>
    /// <param name="salt">The salt of the WAL that it is a piece of.</param>
    /// <param name="end">Where it ends, in bytes of that WAL.</param>
    public void Uploaded(string generation, ulong salt, long end)
    {
        lock (_lock)
        {
            LastUploadAt = time.GetUtcNow();
            _uploaded = new UploadedWal(generation, _order.OfUploaded(salt, readSalt()), salt, end);
            Confirm();
        }
    }

    /// <summary>The head names this generation now.</summary>
    public void Published(string generation)
    {
        lock (_lock)
        {
            _published = generation;
            Confirm();
        }
    }

    /// <summary>Age of the oldest commit that the bucket has not confirmed; zero when it has all.</summary>
    public TimeSpan Lag
    {
        get
        {
            lock (_lock)
            {
                if (_durableCommit == _newest.Commit) return TimeSpan.Zero;
                return time.GetElapsedTime(_marks.TryPeek(out var oldest) ? oldest.Timestamp : _newest.Timestamp);
            }
        }
    }

    /// <summary>Bytes of WAL behind the last confirmed commit; of the whole WAL when that was in an earlier one.</summary>
    public long LagBytes
    {
        get
        {
            lock (_lock)
            {
                if (_durableCommit == _newest.Commit) return 0;
                return _newest.End.Salt == _confirmed.Salt ? Math.Max(0, _newest.End.Bytes - _confirmed.End) : _newest.End.Bytes;
            }
        }
    }

    /// <summary>Completes when the bucket holds a commit; callers that wait for the same upload share it.</summary>
    public Task WaitAsync(long commit, CancellationToken cancellationToken)
    {
        TaskCompletionSource done;
        lock (_lock)
        {
            if (commit <= _durableCommit) return Task.CompletedTask;
            done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((commit, done));
        }
        return Wait(done, cancellationToken);

        async Task Wait(TaskCompletionSource waiter, CancellationToken token)
        {
            try
            {
                await waiter.Task.WaitAsync(token);
            }
            finally
            {
                lock (_lock) _waiters.RemoveAll(entry => entry.Done == waiter);
            }
        }
    }

    private void Confirm()
    {
        if (_uploaded.Generation is null || _uploaded.Generation != _published) return;

        var reached = _durableCommit;
        while (_marks.TryPeek(out var mark) && IsUploaded(mark))
        {
            reached = mark.Commit;
            _marks.Dequeue();
        }
        if (IsUploaded(_newest)) reached = _newest.Commit;
        if (reached == _durableCommit) return;

        _durableCommit = reached;
        _confirmed = _uploaded;
        foreach (var (commit, done) in _waiters)
        {
            if (commit <= reached) done.TrySetResult();
        }
    }

    /// <summary>Pieces are uploaded in the order of the WAL, so a piece of one WAL means that the bucket has all WALs before it.</summary>
    private bool IsUploaded(in Mark mark) =>
        mark.Wal < _uploaded.Wal || (mark.Wal == _uploaded.Wal && mark.End.Salt == _uploaded.Salt && mark.End.Bytes <= _uploaded.End);
}
