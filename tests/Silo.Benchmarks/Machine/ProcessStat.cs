using System.Globalization;

namespace Silo.Benchmarks.Machine;

/// <summary>What <c>/proc/[pid]/stat</c> says of a process (proc(5)).</summary>
/// <param name="Pid">Field 1.</param>
/// <param name="Command">Field 2, without its parentheses.</param>
/// <param name="Parent">Field 4.</param>
/// <param name="Ticks">Fields 14 to 17: CPU time of the process and of the children that it has waited for, in hundredths of a second.</param>
internal readonly record struct ProcessStat(int Pid, string Command, int Parent, long Ticks)
{
    /// <summary>USER_HZ, which Linux keeps at 100 for every program.</summary>
    public const int TicksPerSecond = 100;

    public static ProcessStat Parse(string stat)
    {
        // The command may contain anything, spaces and parentheses too, so its end is the last parenthesis.
        var (open, close) = (stat.IndexOf('(', StringComparison.Ordinal), stat.LastIndexOf(')'));
        var fields = stat[(close + 2)..].Split(' ');
        return new ProcessStat(Number(stat[..open]), stat[(open + 1)..close], Number(fields[1]), fields[11..15].Sum(Number));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
