using System.Diagnostics;
using Silo.Storage.Sqlite;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Litestream;

/// <summary>
/// Knows which commits the bucket holds, from two sides: where each commit ended in the WAL, and which pieces of the WAL
/// Litestream uploaded. A commit counts only when its piece belongs to the generation that the head names (invariant 4):
/// pieces of a generation that is not published yet are remembered and count from the publication on, and those of the
/// generation before count until then.
/// </summary>
/// <remarks>Thread-safe: the writer, Litestream's log and waiting callers meet here. No call blocks or calls out under the lock.</remarks>
public sealed class ReplicationTracker
{
    /// <summary>Commits whose end is remembered one by one; beyond, the newest mark is moved on, which only makes waits longer.</summary>
    private const int MaxMarks = 4096;

    /// <summary>Traced commits that are followed to their upload; beyond, their traces end with the commit.</summary>
    private const int MaxTraced = 64;

    private readonly Func<ulong> _readSalt;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly WalOrder _order = new();
    private readonly Queue<Mark> _marks = new();
    private readonly List<(long Commit, TaskCompletionSource Done)> _waiters = [];
    private readonly UploadedEnds _ends = new();
    private readonly List<TracedCommit> _traced = [];
    private Mark _newest;
    private Mark _durable;
    private string? _published;
    private UploadedWal _uploaded;
    private DateTimeOffset? _lastUploadAt;
    private bool _hasGap;
    private TaskCompletionSource? _confirmation;

    private readonly record struct Mark(long Commit, int Wal, WalPosition End, long Timestamp, long TotalBytes);

    private readonly record struct UploadedWal(string? Generation, int Wal, ulong Salt, long End);

    /// <summary>Begins with a database that was just opened.</summary>
    /// <param name="readSalt">Reads the salt of the WAL as it is now; quick and never blocking.</param>
    /// <param name="time">The clock.</param>
    /// <param name="opened">Where its WAL ended then; what is before may be in the bucket already, under another generation.</param>
    public ReplicationTracker(Func<ulong> readSalt, TimeProvider time, WalPosition opened = default)
    {
        (_readSalt, _time) = (readSalt, time);
        _newest = _durable = new Mark(0, _order.Of(opened.Salt, readSalt()), opened, time.GetTimestamp(), 0);
    }

    /// <summary>The last commit; commits are numbered from 1 in each activation.</summary>
    public long LastCommit
    {
        get { lock (_lock) return _newest.Commit; }
    }

    /// <summary>The last commit that the bucket holds under the published generation.</summary>
    public long DurableCommit
    {
        get { lock (_lock) return _durable.Commit; }
    }

    /// <summary>Whether the bucket holds every commit.</summary>
    public bool IsCaughtUp
    {
        get { lock (_lock) return _durable.Commit == _newest.Commit; }
    }

    /// <summary>When the bucket last confirmed an upload.</summary>
    public DateTimeOffset? LastUploadAt
    {
        get { lock (_lock) return _lastUploadAt; }
    }

    /// <summary>
    /// Whether the bucket got the next WAL although the end of the one before, with commits in it, never came: somebody
    /// checkpointed before Litestream had copied them. What this generation lacks only a new one can bring.
    /// </summary>
    public bool HasGap
    {
        get { lock (_lock) return _hasGap; }
    }

    /// <summary>Completes when the bucket confirms a commit for the next time.</summary>
    public Task NextConfirmation
    {
        get { lock (_lock) return (_confirmation ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task; }
    }

    /// <summary>Takes note of a commit that ended here.</summary>
    /// <returns>The commit's number.</returns>
    public long Committed(WalPosition end) => Committed(end, [], out _);

    /// <summary>Takes note of a commit that ended here.</summary>
    /// <param name="end">Where.</param>
    /// <param name="tracedBy">The recorded ones of the spans that made it.</param>
    /// <param name="confirmed">What the bucket is found to have already: a piece that was copied between the commit and this call.</param>
    /// <returns>The commit's number.</returns>
    internal long Committed(WalPosition end, ReadOnlySpan<ActivityContext> tracedBy, out Confirmation confirmed)
    {
        lock (_lock)
        {
            var bytes = end.Salt == _newest.End.Salt ? Math.Max(0, end.Bytes - _newest.End.Bytes) : end.Bytes;
            var mark = new Mark(_newest.Commit + 1, _order.Of(end.Salt, _readSalt()), end, _time.GetTimestamp(), _newest.TotalBytes + bytes);
            _newest = mark;
            if (_marks.Count < MaxMarks) _marks.Enqueue(mark);
            foreach (var span in tracedBy)
            {
                if (_traced.Count < MaxTraced) _traced.Add(new TracedCommit(mark.Commit, span, _time.GetUtcNow()));
            }
            confirmed = Confirm();
            return mark.Commit;
        }
    }

    /// <summary>Takes note of a piece of the WAL that the bucket confirmed.</summary>
    /// <param name="generation">Its generation.</param>
    /// <param name="salt">The salt of the WAL that it is a piece of.</param>
    /// <param name="end">Where it ends, in bytes of that WAL.</param>
    /// <returns>What the bucket has confirmed with it.</returns>
    internal Confirmation Uploaded(string generation, ulong salt, long end)
    {
        lock (_lock)
        {
            _lastUploadAt = _time.GetUtcNow();
            if (generation != _uploaded.Generation)
            {
                _ends.Clear();
                _hasGap = false;
            }
            _uploaded = new UploadedWal(generation, _order.OfUploaded(salt, _readSalt()), salt, end);
            _ends.Reached(salt, end);
            return Confirm();
        }
    }

    /// <summary>
    /// An upload failed, or its answer was lost: the bucket may have a piece that no line of the log tells of, so what seems to be
    /// missing before the next one proves nothing.
    /// </summary>
    public void UploadFailed()
    {
        lock (_lock) _ends.Clear();
    }

    /// <summary>There will be no more of the generation that was uploaded last; the next one has to bring all that is not confirmed.</summary>
    public void GenerationEnded()
    {
        lock (_lock)
        {
            _uploaded = default;
            _ends.Clear();
            _hasGap = false;
        }
    }

    /// <summary>
    /// Whether a generation may take the place of the published one: it holds every commit that the bucket has confirmed. Its
    /// snapshot alone need not, because a snapshot is the file without the WAL.
    /// </summary>
    public bool Covers(string generation)
    {
        lock (_lock) return _uploaded.Generation == generation && IsUploaded(_durable);
    }

    /// <summary>The head names this generation now.</summary>
    /// <returns>What the bucket has confirmed with it.</returns>
    internal Confirmation Published(string generation)
    {
        lock (_lock)
        {
            _published = generation;
            return Confirm();
        }
    }

    /// <summary>Age of the oldest commit that the bucket has not confirmed; zero when it has all.</summary>
    public TimeSpan Lag
    {
        get
        {
            lock (_lock)
            {
                if (_durable.Commit == _newest.Commit) return TimeSpan.Zero;
                return _time.GetElapsedTime(OldestWaiting);
            }
        }
    }

    /// <summary>Bytes of WAL that commits took since the last one that the bucket confirmed, in whichever WAL they are.</summary>
    public long LagBytes
    {
        get { lock (_lock) return _newest.TotalBytes - _durable.TotalBytes; }
    }

    /// <summary>Completes when the bucket holds a commit; callers that wait for the same upload share it.</summary>
    public Task WaitAsync(long commit, CancellationToken cancellationToken)
    {
        TaskCompletionSource done;
        lock (_lock)
        {
            if (commit <= _durable.Commit) return Task.CompletedTask;
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

    private Confirmation Confirm()
    {
        if (_uploaded.Generation is null || _uploaded.Generation != _published || _hasGap) return default;

        var oldest = OldestWaiting;

        var reached = _durable;
        while (_marks.TryPeek(out var mark) && IsUploaded(mark))
        {
            if (mark.End.Salt != _uploaded.Salt && _ends.IsShort(mark.End))
            {
                _hasGap = true;
                break;
            }
            reached = mark;
            _marks.Dequeue();
        }
        if (!_hasGap && IsUploaded(_newest)) reached = _newest;
        if (reached.Commit == _durable.Commit) return default;

        _durable = reached;
        foreach (var (commit, done) in _waiters)
        {
            if (commit <= reached.Commit) done.TrySetResult();
        }
        _confirmation?.TrySetResult();
        _confirmation = null;
        return new Confirmation(_time.GetElapsedTime(oldest), TakeTraced(reached.Commit));
    }

    private TracedCommit[] TakeTraced(long until)
    {
        if (_traced.Count == 0) return [];
        TracedCommit[] confirmed = [.. _traced.Where(commit => commit.Commit <= until)];
        _traced.RemoveRange(0, confirmed.Length);
        return confirmed;
    }

    /// <summary>When the oldest commit that is not confirmed was made, if there is one.</summary>
    private long OldestWaiting => _marks.TryPeek(out var oldest) ? oldest.Timestamp : _newest.Timestamp;

    /// <summary>Pieces are uploaded in the order of the WAL, so a piece of one WAL means that the bucket has all WALs before it.</summary>
    private bool IsUploaded(in Mark mark) =>
        mark.Wal < _uploaded.Wal || (mark.Wal == _uploaded.Wal && mark.End.Salt == _uploaded.Salt && mark.End.Bytes <= _uploaded.End);

    /// <summary>How far the last WALs of one generation are known to have been uploaded.</summary>
    private sealed class UploadedEnds
    {
        private const int MaxRemembered = 16;

        private readonly List<(ulong Salt, long End)> _ends = [];

        public void Clear() => _ends.Clear();

        public void Reached(ulong salt, long end)
        {
            // A piece of a WAL that is not known: it may be the end of any.
            if (salt == 0)
            {
                Clear();
                return;
            }
            if (_ends is [.., var last] && last.Salt == salt) _ends.RemoveAt(_ends.Count - 1);
            else if (_ends.Count == MaxRemembered) _ends.RemoveAt(0);
            _ends.Add((salt, end));
        }

        /// <summary>Whether a WAL is known, and known to have been uploaded only to a place before this one.</summary>
        public bool IsShort(WalPosition place)
        {
            foreach (var (salt, end) in _ends)
            {
                if (salt == place.Salt) return end < place.Bytes;
            }
            return false;
        }
    }
}

/// <summary>What the bucket has confirmed at once.</summary>
/// <param name="Delay">How long the oldest commit of it had waited; null when there was none.</param>
/// <param name="Traced">Those of it whose requests are traced.</param>
internal readonly record struct Confirmation(TimeSpan? Delay, IReadOnlyList<TracedCommit> Traced);
