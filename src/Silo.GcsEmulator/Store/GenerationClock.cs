namespace Silo.GcsEmulator.Store;

/// <summary>
/// Gives out generations as GCS does: microseconds since 1970, but always above every earlier one. The numbers of content files come
/// from it too.
/// </summary>
internal sealed class GenerationClock(TimeProvider time)
{
    private long _last;

    public long Last => Volatile.Read(ref _last);

    /// <summary>Never gives out this generation or a lower one again.</summary>
    public void Seen(long generation)
    {
        var last = Volatile.Read(ref _last);
        while (generation > last)
        {
            var found = Interlocked.CompareExchange(ref _last, generation, last);
            if (found == last) return;
            last = found;
        }
    }

    public long Next(out DateTimeOffset now)
    {
        now = time.GetUtcNow();
        var micros = (now - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        while (true)
        {
            var last = Volatile.Read(ref _last);
            var next = Math.Max(micros, last + 1);
            if (Interlocked.CompareExchange(ref _last, next, last) == last) return next;
        }
    }
}
