using System.Globalization;

namespace Silo.Benchmarks.Machine;

/// <summary>How many cores a process or a tree of them used over a time, and how many were lost to others meanwhile.</summary>
internal sealed class ProcessorUse
{
    private readonly Func<double> _seconds;
    private readonly long _begun = TimeProvider.System.GetTimestamp();
    private readonly (double Tree, double Ours, double Busy, double Steal) _before;

    private ProcessorUse(Func<double> seconds)
    {
        _seconds = seconds;
        _before = Read();
    }

    /// <summary>Begins to measure a tree.</summary>
    public static ProcessorUse Of(int root) => new(() => ProcessTree.Of(root).Cpu.TotalSeconds);

    /// <summary>Begins to measure a process without those that it started and that still run.</summary>
    public static ProcessorUse OfOne(int pid) => new(() => ProcessTree.Of(pid).Processes[0].Ticks / (double)ProcessStat.TicksPerSecond);

    /// <summary>What was used since the beginning.</summary>
    public ProcessorShare End()
    {
        var now = Read();
        var seconds = TimeProvider.System.GetElapsedTime(_begun).TotalSeconds;
        return new ProcessorShare(
            TimeSpan.FromSeconds(now.Tree - _before.Tree),
            (now.Tree - _before.Tree) / seconds,
            Math.Max(0, (now.Busy - _before.Busy - (now.Ours - _before.Ours)) / seconds),
            (now.Steal - _before.Steal) / seconds);
    }

    private (double Tree, double Ours, double Busy, double Steal) Read()
    {
        // "cpu user nice system idle iowait irq softirq steal": proc(5)
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(field => long.Parse(field, CultureInfo.InvariantCulture) / (double)ProcessStat.TicksPerSecond).ToArray();
        return (
            _seconds(),
            ProcessTree.Of(Environment.ProcessId).Cpu.TotalSeconds,
            fields[0] + fields[1] + fields[2] + fields[5] + fields[6],
            fields[7]);
    }
}

/// <summary>The use of processors over a time.</summary>
/// <param name="Time">CPU time of what was measured.</param>
/// <param name="Cores">The same in cores.</param>
/// <param name="OtherCores">Cores that processes outside the benchmark used: how quiet the machine was.</param>
/// <param name="StealCores">Cores that other guests of the same hardware took.</param>
internal readonly record struct ProcessorShare(TimeSpan Time, double Cores, double OtherCores, double StealCores);
