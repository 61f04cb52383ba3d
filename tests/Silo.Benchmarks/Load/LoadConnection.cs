using System.Net;
using System.Net.Sockets;

namespace Silo.Benchmarks.Load;

/// <summary>One kept-alive connection that sends prepared requests, one at a time. Not thread-safe.</summary>
internal sealed class LoadConnection : IDisposable
{
    private static readonly TimeSpan ReceiveTimeout = TimeSpan.FromSeconds(60);

    public LoadConnection(Uri server)
    {
        Socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = (int)ReceiveTimeout.TotalMilliseconds };
        Socket.Connect(new IPEndPoint(IPAddress.Parse(server.Host), server.Port));
    }

    public Socket Socket { get; }

    /// <summary>The answer that comes or has come.</summary>
    public HttpAnswer Answer { get; } = new();

    /// <summary>When the request was sent.</summary>
    public long SentAt { get; private set; }

    /// <summary>Sends a request.</summary>
    public void Send(ReadOnlySpan<byte> request)
    {
        Answer.Reset();
        SentAt = TimeProvider.System.GetTimestamp();
        Socket.Send(request);
    }

    /// <summary>Takes what has come, waiting until something has.</summary>
    /// <returns>Whether the answer is whole.</returns>
    public bool Receive()
    {
        var count = Socket.Receive(Answer.Free);
        return count > 0 ? Answer.Advance(count) : throw new IOException("The server closed the connection.");
    }

    /// <summary>Sends a request and waits for its answer.</summary>
    /// <returns>How long that took.</returns>
    public TimeSpan Exchange(ReadOnlySpan<byte> request)
    {
        Send(request);
        while (!Receive())
        {
        }
        return TimeProvider.System.GetElapsedTime(SentAt);
    }

    public void Dispose() => Socket.Dispose();
}
