using System.Net;
using System.Net.Sockets;

namespace Silo.SystemTests.Faults;

/// <summary>The network between one owner and the bucket: all of the owner's connections go through it, and it can be cut.</summary>
internal sealed class BucketLink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _bucketPort;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _sockets = []; // under _lock
    private readonly Task _accepting;
    private volatile TaskCompletionSource _passable = Passable(true);
    private volatile bool _refusing;
    private long _delayTicks;

    public BucketLink(Uri bucket)
    {
        _bucketPort = bucket.Port;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>What the owner takes for the bucket.</summary>
    public string Authority => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>How much later everything arrives, each way.</summary>
    public TimeSpan Delay
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>Nothing arrives any more, and nobody is told. What is under way arrives after <see cref="Heal"/>.</summary>
    public void Silence() => _passable = Passable(false);

    /// <summary>Every connection is reset, and so is every new one.</summary>
    public void Reset()
    {
        _refusing = true;
        CloseAll();
    }

    /// <summary>As good as new.</summary>
    public void Heal()
    {
        Delay = TimeSpan.Zero;
        _refusing = false;
        _passable.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Stop();
        Heal();
        CloseAll();
        await _accepting;
        _closing.Dispose();
    }

    private static TaskCompletionSource Passable(bool now)
    {
        var passable = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (now) passable.SetResult();
        return passable;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = CarryAsync(await _listener.AcceptSocketAsync(_closing.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It is closed.
        }
    }

    private async Task CarryAsync(Socket owner)
    {
        var bucket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            Keep(owner);
            Keep(bucket);
            if (_refusing) return;
            await bucket.ConnectAsync(IPAddress.Loopback, _bucketPort, _closing.Token);
            var there = PumpAsync(owner, bucket);
            var back = PumpAsync(bucket, owner);
            await await Task.WhenAny(there, back); // one half that ends ends both: HTTP needs no half-open connection
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone; the other is told below.
        }
        finally
        {
            Close(owner);
            Close(bucket);
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer, _closing.Token) is > 0 and var length)
        {
            if (Delay is { Ticks: > 0 } delay) await Pause.ForAsync(delay, _closing.Token);
            await _passable.Task.WaitAsync(_closing.Token);
            for (var sent = 0; sent < length;) sent += await to.SendAsync(buffer.AsMemory(sent, length - sent), _closing.Token);
        }
    }

    private void Keep(Socket socket)
    {
        socket.NoDelay = true;
        lock (_lock) _sockets.Add(socket);
    }

    private void CloseAll()
    {
        Socket[] all;
        lock (_lock) all = [.. _sockets];
        foreach (var socket in all) Close(socket);
    }

    private void Close(Socket socket)
    {
        lock (_lock)
        {
            if (!_sockets.Remove(socket)) return;
        }
        socket.Close(timeout: 0); // a reset, not a polite end
    }
}
