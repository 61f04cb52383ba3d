using System.Globalization;

namespace Silo.SystemTests.Faults;

/// <summary>
/// A wall clock that can be stepped while the process runs, by libfaketime (package <c>faketime</c>): it reads the step from a
/// file. The monotonic clock and the times of files stay true.
/// </summary>
internal static class SteppedClock
{
    private static string Library => Directory.EnumerateDirectories("/usr/lib", "*-linux-gnu")
        .Select(folder => Path.Combine(folder, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists)
        ?? throw new FileNotFoundException("libfaketimeMT.so.1 is missing: install the package faketime (tests/run.sh does).");

    /// <summary>
    /// What a process must be started with. Without the last one, made for older C libraries, .NET's waits on the monotonic clock end
    /// at once, and its idle threads take a quarter of a core.
    /// </summary>
    public static (string Name, string Value)[] Environment(string file) =>
    [
        ("LD_PRELOAD", Library), ("FAKETIME_TIMESTAMP_FILE", file), ("FAKETIME_CACHE_DURATION", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1"),
        ("FAKETIME_FORCE_MONOTONIC_FIX", "0"),
    ];

    /// <summary>Steps the clock of the process that was started with this file, to so much from the true time.</summary>
    public static async Task StepAsync(string file, TimeSpan step)
    {
        // In one piece: half a number is another time.
        await File.WriteAllTextAsync($"{file}.new", step.TotalSeconds.ToString("+0;-0", CultureInfo.InvariantCulture), TestContext.Current.CancellationToken);
        File.Move($"{file}.new", file, overwrite: true);
    }
}
