namespace Silo.Storage.Lease;

/// <summary>
/// Until when an owner may write, by its own monotonic clock: some time before anyone else may take the organization by the bucket's
/// clock. It counts from before the request was sent, since the bucket's time starts when the request takes effect.
/// </summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class LeaseTerm(LeaseOptions options)
{
    private long _until = long.MinValue; // ticks of the monotonic clock

    /// <summary>The bucket confirmed a write of the head.</summary>
    /// <param name="sentAt">When it was sent.</param>
    public void Extend(TimeSpan sentAt)
    {
        var until = (sentAt + options.TimeToLive - options.SafetyMargin).Ticks;
        for (var seen = Interlocked.Read(ref _until); until > seen;)
        {
            var before = Interlocked.CompareExchange(ref _until, until, seen);
            if (before == seen) return;
            seen = before;
        }
    }

    /// <summary>Whether the owner may write.</summary>
    public bool IsRunning(TimeSpan now) => now.Ticks < Interlocked.Read(ref _until);

    /// <summary>How long it may; below zero when it may not any more.</summary>
    public TimeSpan Left(TimeSpan now) => TimeSpan.FromTicks(Interlocked.Read(ref _until)) - now;
}
