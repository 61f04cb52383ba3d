using System.Runtime.InteropServices;
using Silo.Storage.Litestream;

namespace Silo.SystemTests.Machines;

/// <summary>Stops processes where they are and lets them go on; they notice nothing but the time that has passed.</summary>
internal static partial class Freezing
{
    private const int SigCont = 18;
    private const int SigStop = 19;

    /// <summary>Stops them, and waits until none of their threads runs any more.</summary>
    public static async Task FreezeAsync(this IReadOnlyCollection<ChildProcess> processes)
    {
        foreach (var process in processes) _ = Signal(process.Pid, SigStop);
        await Eventually.IsAsync(() => processes.All(IsFrozenOrGone), "they are frozen");
    }

    /// <summary>Lets them go on.</summary>
    public static void Thaw(this IEnumerable<ChildProcess> processes)
    {
        foreach (var process in processes)
        {
            if (process.IsAlive) _ = Signal(process.Pid, SigCont);
        }
    }

    private static bool IsFrozenOrGone(ChildProcess process)
    {
        try
        {
            return !process.IsAlive || Directory.EnumerateDirectories($"/proc/{process.Pid}/task").All(thread => State(thread) is 'T' or 'Z' or 'X');
        }
        catch (IOException)
        {
            return false; // a thread has ended meanwhile: look again
        }
    }

    private static char State(string thread)
    {
        var stat = File.ReadAllText($"{thread}/stat");
        return stat[stat.LastIndexOf(')') + 2];
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int pid, int signal);
}
