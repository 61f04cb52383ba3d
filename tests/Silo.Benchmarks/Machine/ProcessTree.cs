using System.Globalization;

namespace Silo.Benchmarks.Machine;

/// <summary>A process and all that it started, as they were at one moment.</summary>
internal sealed class ProcessTree
{
    private const double KibPerMb = 1024;

    private ProcessTree(IReadOnlyList<ProcessStat> processes) => Processes = processes;

    /// <summary>The root is the first one.</summary>
    public IReadOnlyList<ProcessStat> Processes { get; }

    /// <summary>
    /// CPU time of all of them. That of a process which has ended is its parent's once it has been waited for, so nothing is
    /// lost or counted twice as long as the root lives.
    /// </summary>
    public TimeSpan Cpu => TimeSpan.FromSeconds(Processes.Sum(process => process.Ticks) / (double)ProcessStat.TicksPerSecond);

    public static ProcessTree Of(int root)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
            .Where(name => char.IsAsciiDigit(name![0])).Select(name => Read(int.Parse(name!, CultureInfo.InvariantCulture))).OfType<ProcessStat>().ToList();
        var children = all.ToLookup(process => process.Parent);
        var tree = all.FindAll(process => process.Pid == root);
        for (var i = 0; i < tree.Count; i++) tree.AddRange(children[tree[i].Pid]);
        return new ProcessTree(tree);
    }

    /// <summary>
    /// Proportional set size in MB: what is shared among processes is divided among them, so the sum over all is the memory
    /// that they take together.
    /// </summary>
    /// <param name="command">Only processes of this name; null for all.</param>
    public double MemoryMb(string? command = null) =>
        Processes.Where(process => command is null || process.Command == command).Sum(process => MemoryRollup.Read(process.Pid)?.Pss ?? 0) / KibPerMb;

    private static ProcessStat? Read(int pid)
    {
        try
        {
            return ProcessStat.Parse(File.ReadAllText($"/proc/{pid}/stat"));
        }
        catch (IOException)
        {
            return null; // it has ended meanwhile
        }
    }
}
