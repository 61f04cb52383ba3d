using System.Globalization;

namespace Silo.Benchmarks.Machine;

/// <summary>What <c>/proc/[pid]/smaps_rollup</c> says of a process, in KiB.</summary>
/// <param name="Rss">Pages that it has in memory.</param>
/// <param name="Pss">The same, each divided by the number of processes that share it.</param>
/// <param name="Anonymous">Of <paramref name="Pss"/>, what is backed by no file.</param>
internal readonly record struct MemoryRollup(long Rss, long Pss, long Anonymous)
{
    /// <summary>Null when the process has ended, or is another user's.</summary>
    public static MemoryRollup? Read(int pid)
    {
        try
        {
            return Parse(File.ReadAllText($"/proc/{pid}/smaps_rollup"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public static MemoryRollup Parse(string rollup)
    {
        var values = rollup.Split('\n').Select(line => line.Split(':', 2)).Where(pair => pair is [_, { } rest] && rest.EndsWith("kB", StringComparison.Ordinal))
            .ToDictionary(pair => pair[0], pair => long.Parse(pair[1].AsSpan(0, pair[1].Length - 2).Trim(), CultureInfo.InvariantCulture));
        return new MemoryRollup(values.GetValueOrDefault("Rss"), values.GetValueOrDefault("Pss"), values.GetValueOrDefault("Pss_Anon"));
    }
}
