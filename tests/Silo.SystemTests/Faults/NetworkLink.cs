using System.Net;
using System.Net.Sockets;

namespace Silo.SystemTests.Faults;

/// <summary>The network in front of a program that listens, be it the bucket or a silo: those who come this way can be cut off.</summary>
internal sealed class NetworkLink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _port;
    private readonly Func<IPEndPoint, (Gate There, Gate Back)?> _ways;
    private readonly Gate _gate = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _sockets = []; // under _lock
    private readonly Task _accepting;
    private volatile bool _refusing;
    private long _delayTicks;

    /// <param name="port">Where the program listens.</param>
    /// <param name="ways">The gates of who connects from there, null for one who has left already. Without it all have the same one, both ways.</param>
    public NetworkLink(int port, Func<IPEndPoint, (Gate There, Gate Back)?>? ways = null)
    {
        _port = port;
        _ways = ways ?? (_ => (_gate, _gate));
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>What others take for the program's port.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What others take for the program.</summary>
    public string Authority => $"127.0.0.1:{Port}";

    /// <summary>How much later everything arrives, each way.</summary>
    public TimeSpan Delay
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>Nothing arrives any more, and nobody is told. What is under way arrives after <see cref="Heal"/>.</summary>
    public void Silence() => _gate.Shut();

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
        _gate.Open();
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

    private async Task CarryAsync(Socket caller)
    {
        var program = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            Keep(caller);
            Keep(program);
            if (_refusing || _ways((IPEndPoint)caller.RemoteEndPoint!) is not { } ways) return;
            await ways.There.PassAsync(_closing.Token);
            await program.ConnectAsync(IPAddress.Loopback, _port, _closing.Token);
            var there = PumpAsync(caller, program, ways.There);
            var back = PumpAsync(program, caller, ways.Back);
            await await Task.WhenAny(there, back); // one half that ends ends both: neither HTTP nor Orleans needs a half-open connection
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone; the other is told below.
        }
        finally
        {
            Close(caller);
            Close(program);
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Gate gate)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer, _closing.Token) is > 0 and var length)
        {
            if (Delay is { Ticks: > 0 } delay) await Pause.ForAsync(delay, _closing.Token);
            await gate.PassAsync(_closing.Token);
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
