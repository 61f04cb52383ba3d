using System.Diagnostics;
using System.Globalization;

namespace Silo.Benchmarks.Machine;

/// <summary>
/// Stops a process and all that it started (SIGSTOP) until it is disposed of, so that its background work does not slow what is
/// measured on the same cores meanwhile.
/// </summary>
internal sealed class FrozenTree : IDisposable
{
    private readonly IReadOnlyList<string> _pids;

    public FrozenTree(int root)
    {
        _pids = [.. ProcessTree.Of(root).Processes.Select(process => process.Pid.ToString(CultureInfo.InvariantCulture))];
        Signal("STOP", _pids);
    }

    public void Dispose() => Signal("CONT", _pids);

    // One that has ended meanwhile is no failure: then there is nothing to stop.
    private static void Signal(string signal, IReadOnlyList<string> pids)
    {
        using var kill = Process.Start(new ProcessStartInfo("sh", ["-c", "for pid; do kill -" + signal + " \"$pid\" 2>/dev/null; done", "sh", .. pids]))!;
        kill.WaitForExit();
    }
}
