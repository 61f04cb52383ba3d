using System.Diagnostics;
using System.Text;

namespace Silo.Storage.Litestream;

/// <summary>
/// Runs <c>litestream restore</c> for one named generation. Left to itself it takes the generation with the newest object, and
/// that may be one that a former owner still wrote to; acknowledged rows would be gone with exit code 0. Of <c>-if-replica-exists</c>
/// no use is made: with it a wrong address ends with exit code 0 too.
/// </summary>
/// <param name="binary">Litestream.</param>
/// <param name="options">Its options.</param>
/// <param name="environment">The bucket.</param>
public sealed class LitestreamRestore(LitestreamBinary binary, LitestreamOptions options, LitestreamEnvironment environment)
{
    // ENOSPC in Go's words, and SQLITE_FULL in SQLite's.
    private static readonly string[] NoSpace = ["no space left on device", "database or disk is full"];

    // Litestream writes the path of an address anew and escapes it, so a folder with a space in its name would not be found.
    private const string WorkingFolder = "file:///proc/self/cwd";

    /// <summary>Restores the end of a generation into a new file.</summary>
    /// <param name="replica">The folder of a replica of type <c>file</c>.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="file">A file that does not exist yet.</param>
    /// <param name="cancellationToken">Kills the process.</param>
    /// <exception cref="LitestreamException">The restore failed, or ended without a file.</exception>
    /// <exception cref="IOException">The disk has no room for it.</exception>
    public async Task RunAsync(string replica, string generation, string file, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(binary.Path, ["restore", "-generation", generation, "-o", Path.GetFullPath(file), WorkingFolder])
        {
            WorkingDirectory = replica,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        environment.ApplyTo(start, options);
        // It lives for a moment: collecting its heap would only cost the caller time.
        start.Environment["GOGC"] = "400";
        start.Environment.Remove("GOMAXPROCS");

        using var process = Process.Start(start) ?? throw new LitestreamException($"Litestream ({binary.Path}) could not be started.");
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
            {
                var said = $"litestream restore of generation {generation} ended with {process.ExitCode}: {Tail(await errors + await output)}.";
                throw NoSpace.Any(words => said.Contains(words, StringComparison.Ordinal))
                    ? new IOException(said)
                    : new LitestreamException($"{said} If an object is damaged, restore an older version of it, or choose an older point (silo restore).");
            }
            if (!File.Exists(file))
                throw new LitestreamException($"litestream restore of generation {generation} made no file: {Tail(await errors + await output)}");
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    private static string Tail(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return new StringBuilder().AppendJoin(" | ", lines.TakeLast(3)).ToString();
    }
}
