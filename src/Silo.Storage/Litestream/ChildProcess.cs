using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Silo.Storage.Litestream;

/// <summary>
/// A process as the kernel knows it: its id together with its start time, since ids are used again. It can be one that
/// another process started, which <see cref="Process"/> cannot signal safely.
/// </summary>
/// <param name="Pid">The process id.</param>
/// <param name="StartTicks">Field 22 of <c>/proc/[pid]/stat</c> (proc(5)): clock ticks from boot to its start.</param>
public readonly partial record struct ChildProcess(int Pid, long StartTicks)
{
    private const int SigKill = 9;
    private const int SigTerm = 15;

    /// <summary>The process that has this id now; null when there is none.</summary>
    public static ChildProcess? Find(int pid) => ReadStat(pid) is { } stat ? new ChildProcess(pid, stat.StartTicks) : null;

    /// <summary>Whether it still runs. A zombie does not.</summary>
    [JsonIgnore]
    public bool IsAlive => ReadStat(Pid) is { } stat && stat.StartTicks == StartTicks && stat.State is not ('Z' or 'X');

    /// <summary>Its command line, arguments separated by spaces; empty when it is gone.</summary>
    [JsonIgnore]
    public string CommandLine
    {
        get
        {
            try
            {
                return File.ReadAllText($"/proc/{Pid}/cmdline").Replace('\0', ' ').TrimEnd();
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    /// <summary>Asks it to end (SIGTERM).</summary>
    public void Terminate() => Signal(SigTerm);

    /// <summary>Ends it (SIGKILL).</summary>
    public void Kill() => Signal(SigKill);

    /// <summary>The processes that it started and that still run.</summary>
    public IReadOnlyList<ChildProcess> Children()
    {
        try
        {
            // Each thread lists the children that it made, and Go starts processes from any thread.
            return [.. Directory.EnumerateDirectories($"/proc/{Pid}/task").SelectMany(task => ReadChildren($"{task}/children"))
                .Select(pid => Find(int.Parse(pid, CultureInfo.InvariantCulture))).OfType<ChildProcess>()];
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string[] ReadChildren(string file)
    {
        try
        {
            return File.ReadAllText(file).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (IOException)
        {
            return []; // the thread is gone
        }
    }

    private void Signal(int signal)
    {
        // The start time tells whether the id still means the same process; a process of ours cannot lose its id before we reap it.
        if (IsAlive) _ = KillNative(Pid, signal);
    }

    private static (char State, long StartTicks)? ReadStat(int pid)
    {
        try
        {
            // The second field is the command in parentheses and may contain anything, so count from its end.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], long.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillNative(int pid, int signal);
}
