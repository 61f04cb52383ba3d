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

    /// <summary>Every process of this user that was started with an environment variable, given as <c>NAME=value</c>.</summary>
    public static IEnumerable<ChildProcess> WithEnvironment(string variable)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) continue;
            if (ReadText($"{folder}/environ").Split('\0').Contains(variable) && Find(pid) is { } found) yield return found;
        }
    }

    /// <summary>Whether it still runs. A zombie does not.</summary>
    [JsonIgnore]
    public bool IsAlive => ReadStat(Pid) is { } stat && stat.StartTicks == StartTicks && stat.State is not ('Z' or 'X');

    /// <summary>Asks it to end (SIGTERM).</summary>
    public void Terminate() => Signal(SigTerm);

    /// <summary>Ends it (SIGKILL).</summary>
    public void Kill() => Signal(SigKill);

    /// <summary>
    /// Sets the niceness of its scheduling group. Where the kernel groups processes by session (sched_autogroup, sched(7)), a
    /// process in a session of its own has as much of the CPU as all of ours together, whatever its own niceness is.
    /// </summary>
    /// <returns>False when the kernel asks to come back: it allows ten such changes a second to who is not root.</returns>
    public bool TrySetGroupNiceness(int niceness)
    {
        var group = $"/proc/{Pid}/autogroup";
        try
        {
            // Before it has its own session, this would be our own group.
            if (ReadStat(Pid) is not { } stat || stat.StartTicks != StartTicks || stat.Session != Pid) return false;
            if (File.Exists(group)) File.WriteAllText(group, niceness.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The processes that it started and that still run.</summary>
    public IReadOnlyList<ChildProcess> Children()
    {
        try
        {
            // Each thread lists the children that it made, and Go starts processes from any thread.
            return [.. Directory.EnumerateDirectories($"/proc/{Pid}/task")
                .SelectMany(task => ReadText($"{task}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Select(pid => Find(int.Parse(pid, CultureInfo.InvariantCulture))).OfType<ChildProcess>()];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>
    /// How long its threads were ready to run and had no CPU, added up over its life (run_delay of <c>/proc/[pid]/schedstat</c>);
    /// zero on a kernel that does not count it.
    /// </summary>
    public TimeSpan WaitedForCpu()
    {
        try
        {
            var nanoseconds = Directory.EnumerateDirectories($"/proc/{Pid}/task")
                .Select(task => ReadText($"{task}/schedstat").Split(' '))
                .Sum(fields => fields.Length > 1 && long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var waited) ? waited : 0);
            return TimeSpan.FromTicks(nanoseconds / 100);
        }
        catch (IOException)
        {
            return TimeSpan.Zero;
        }
    }

    /// <summary>A file of /proc; empty when its process is gone or belongs to somebody else.</summary>
    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private void Signal(int signal)
    {
        // The start time tells whether the id still means the same process; a process of ours cannot lose its id before we reap it.
        if (IsAlive) _ = KillNative(Pid, signal);
    }

    private static (char State, int Session, long StartTicks)? ReadStat(int pid)
    {
        try
        {
            // The second field is the command in parentheses and may contain anything, so count from its end.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], int.Parse(fields[3], CultureInfo.InvariantCulture), long.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillNative(int pid, int signal);
}
