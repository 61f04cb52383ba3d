namespace Silo.GcsEmulator.Http;

/// <summary>How often and how much, since the start.</summary>
internal sealed class RequestCounters
{
    private readonly long[] _requests = new long[Enum.GetValues<RequestKind>().Length];
    private long _received;
    private long _sent;

    public long ReceivedBytes => Volatile.Read(ref _received);

    public long SentBytes => Volatile.Read(ref _sent);

    public long Requests(RequestKind kind) => Volatile.Read(ref _requests[(int)kind]);

    public void Count(RequestKind kind) => Interlocked.Increment(ref _requests[(int)kind]);

    public void Received(long bytes) => Interlocked.Add(ref _received, bytes);

    public void Sent(long bytes) => Interlocked.Add(ref _sent, bytes);
}
