using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Silo.LibSql;

/// <summary>Ports of loopback for programs that must be told theirs, and keep it while they are away.</summary>
internal static class LoopbackPort
{
    // Below the ports that the kernel gives to outgoing connections (ip_local_port_range), or one of those could have ours while its
    // program is away.
    private static readonly (int First, int Count) Range = (20_000, 12_000);

    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>One on which nobody listens, and which is given to nobody else in this process.</summary>
    public static int Take()
    {
        while (true)
        {
            var port = Range.First + Random.Shared.Next(Range.Count);
            if (IsFree(port) && Given.TryAdd(port, true)) return port;
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
