using System.Collections.Concurrent;
using System.Net;
using Silo.SystemTests.Faults;

namespace Silo.SystemTests.Machines;

/// <summary>The network between the silos of a cluster, and nothing else: each is reached at a link of its own, which sees who comes. It can be cut between any two, one way or both.</summary>
/// <param name="silos">By their numbers; one that is started again is replaced.</param>
internal sealed class SiloNetwork(IReadOnlyList<HostProcess> silos) : IAsyncDisposable
{
    private readonly List<NetworkLink> _links = [];
    private readonly ConcurrentDictionary<(int From, int To), Gate> _gates = new();

    /// <summary>Makes the link to a silo.</summary>
    /// <returns>The port at which the others reach it.</returns>
    public int Advertise(int number, int listeningPort)
    {
        NetworkLink? link = null;
        link = new NetworkLink(listeningPort, caller => CallerOf(caller, link!.Port) is { } from ? (GateOf(from, number), GateOf(number, from)) : null);
        _links.Add(link);
        return link.Port;
    }

    /// <summary>Nothing that this silo sends reaches that one any more, and neither is told.</summary>
    public void Cut(int from, int to) => GateOf(from, to).Shut();

    /// <summary>All reach each other.</summary>
    public void Heal()
    {
        foreach (var gate in _gates.Values) gate.Open();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links) await link.DisposeAsync();
    }

    private Gate GateOf(int from, int to) => _gates.GetOrAdd((from, to), _ => new Gate());

    // The kernel lists every connection of this machine with the inode of its socket (proc(5), /proc/net/tcp), and the open sockets
    // of a process by the same number. Sockets for both versions of IP are in the second list.
    private int? CallerOf(IPEndPoint caller, int port)
    {
        var (local, remote) = ($"0100007F:{caller.Port:X4}", $"0100007F:{port:X4}");
        var connection = ((string[])["/proc/net/tcp", "/proc/net/tcp6"]).SelectMany(File.ReadLines).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(fields => fields[1].EndsWith(local, StringComparison.Ordinal) && fields[2].EndsWith(remote, StringComparison.Ordinal));
        if (connection is null) return null;
        var socket = $"socket:[{connection[9]}]";
        for (var number = 0; number < silos.Count; number++)
        {
            if (HasOpen(silos[number].Identity.Pid, socket)) return number;
        }
        return null;
    }

    private static bool HasOpen(int pid, string socket)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Any(file => new FileInfo(file).LinkTarget == socket);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has just ended
        }
    }
}
