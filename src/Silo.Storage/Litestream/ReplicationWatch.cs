namespace Silo.Storage.Litestream;

/// <summary>What helps a bucket that does not follow.</summary>
internal enum ReplicationRemedy
{
    /// <summary>Nothing is wrong, or waiting is right.</summary>
    None,

    /// <summary>A change of the database: Litestream tries a failed upload again only then.</summary>
    Poke,

    /// <summary>A new process.</summary>
    Restart,
}

/// <summary>
/// Judges whether Litestream is stuck. Lag alone does not tell: on a starved machine all databases lag, and starting all their
/// processes again, each with a whole snapshot to upload, would make it worse. So what counts is time in which commits waited,
/// the bucket confirmed nothing, and the process could have worked: neither was it waiting for a CPU, nor were we.
/// </summary>
/// <remarks>Thread-safe.</remarks>
/// <param name="options">The limits.</param>
/// <param name="time">The clock.</param>
internal sealed class ReplicationWatch(LitestreamOptions options, TimeProvider time)
{
    /// <summary>How often <see cref="Judge"/> is asked.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>How long after a failure the next try is provoked; twice as long after each further one.</summary>
    private static readonly TimeSpan PokeDelay = TimeSpan.FromSeconds(1);

    /// <summary>A poke is a page of WAL: one a minute is 6 MB a day while the bucket is gone.</summary>
    private static readonly TimeSpan MaxPokeDelay = TimeSpan.FromMinutes(1);

    /// <summary>A restart that changed nothing doubles the time until the next, this often.</summary>
    private const int MaxDoublings = 4;

    private readonly Lock _lock = new();
    private long _judgedAt = time.GetTimestamp();
    private TimeSpan _stalled;
    private TimeSpan? _waitedForCpu;
    private TimeSpan _sincePoke;
    private long? _failedAt;
    private int _pokes;
    private int _fruitlessRestarts;

    /// <summary>The bucket confirmed something.</summary>
    public void Progressed()
    {
        lock (_lock)
        {
            Forget();
            _fruitlessRestarts = 0;
        }
    }

    /// <summary>Litestream said that something failed.</summary>
    public void Failed()
    {
        lock (_lock) _failedAt ??= time.GetTimestamp();
    }

    /// <summary>It was poked.</summary>
    public void Poked()
    {
        lock (_lock)
        {
            _failedAt = null;
            _sincePoke = TimeSpan.Zero;
            _pokes++;
        }
    }

    /// <summary>It was ended for being stuck.</summary>
    public void Restarted()
    {
        lock (_lock)
        {
            Forget();
            _fruitlessRestarts++;
        }
    }

    /// <summary>Looks at the time since the last call.</summary>
    /// <param name="isBehind">Whether commits wait for the bucket.</param>
    /// <param name="allowance">What a large upload may take besides.</param>
    /// <param name="readWaitedForCpu">How long the process has waited for a CPU in its life; asked only when it matters.</param>
    public ReplicationRemedy Judge(bool isBehind, TimeSpan allowance, Func<TimeSpan> readWaitedForCpu)
    {
        lock (_lock)
        {
            var elapsed = time.GetElapsedTime(_judgedAt);
            _judgedAt = time.GetTimestamp();
            if (!isBehind)
            {
                var failedAt = _failedAt; // its next commit will want to know
                Forget();
                _failedAt = failedAt;
                return ReplicationRemedy.None;
            }

            // A call that comes late says that this process was held up, and its log was not read either.
            var counted = elapsed < 2 * Interval ? elapsed : 2 * Interval;
            if (_stalled >= options.MaxLag / 3) counted -= Starved(readWaitedForCpu(), counted);
            _stalled += counted;
            _sincePoke += counted;

            if (_stalled - allowance > options.MaxLag * (1 << Math.Min(_fruitlessRestarts, MaxDoublings))) return ReplicationRemedy.Restart;
            return IsPokeDue(allowance) ? ReplicationRemedy.Poke : ReplicationRemedy.None;
        }
    }

    private bool IsPokeDue(TimeSpan allowance) => _failedAt is { } failedAt
        ? time.GetElapsedTime(failedAt) >= Doubled(PokeDelay)
        : _sincePoke - allowance >= Doubled(options.MaxLag / 3);

    private TimeSpan Doubled(TimeSpan delay)
    {
        var doubled = delay * (1 << Math.Min(_pokes, 16));
        return doubled < MaxPokeDelay ? doubled : MaxPokeDelay;
    }

    /// <summary>
    /// How much of the time the process was kept from working. At most three quarters, so that one which hangs is found on an
    /// overloaded machine too.
    /// </summary>
    private TimeSpan Starved(TimeSpan waitedForCpu, TimeSpan counted)
    {
        var starved = waitedForCpu - (_waitedForCpu ?? waitedForCpu);
        _waitedForCpu = waitedForCpu;
        var most = counted * 0.75;
        return starved < TimeSpan.Zero ? TimeSpan.Zero : starved < most ? starved : most;
    }

    private void Forget()
    {
        _stalled = _sincePoke = TimeSpan.Zero;
        _waitedForCpu = null;
        _failedAt = null;
        _pokes = 0;
    }
}
