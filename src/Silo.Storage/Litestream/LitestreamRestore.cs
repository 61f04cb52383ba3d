using System.Diagnostics;
using System.Text;

namespace Silo.Storage.Litestream;

/// <summary>
/// Runs <c>litestream restore</c> for one named generation. Left to itself it takes the generation with the newest object, and
/// that may be one that a former owner still wrote to; acknowledged rows would be gone with exit code 0.
/// </summary>
/// <param name="binary">Litestream.</param>
/// <param name="options">Its options.</param>
/// <param name="environment">The bucket.</param>
public sealed class LitestreamRestore(LitestreamBinary binary, LitestreamOptions options, LitestreamEnvironment environment)
{
    private const string NoSpace = "no space left on device"; // ENOSPC in Go's words

    /// <summary>Restores the end of a generation into a new file.</summary>
    /// <param name="replicaPath">The object name prefix, without a slash at the end.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="file">A file that does not exist yet.</param>
    /// <param name="cancellationToken">Kills the process.</param>
    /// <exception cref="LitestreamException">The restore failed, or ended without a file.</exception>
    /// <exception cref="IOException">The disk has no room for it.</exception>
    public async Task RunAsync(string replicaPath, string generation, string file, CancellationToken cancellationToken)
    {
        var url = $"gcs://{environment.BucketName}/{replicaPath}";
        var start = new ProcessStartInfo(binary.Path, ["restore", "-generation", generation, "-o", file, url])
        {
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
                var said = $"litestream restore of {url} generation {generation} ended with {process.ExitCode}: {Tail(await errors + await output)}";
                throw said.Contains(NoSpace, StringComparison.Ordinal) ? new IOException(said) : new LitestreamException(said);
            }
            if (!File.Exists(file))
                throw new LitestreamException($"litestream restore of {url} generation {generation} made no file: {Tail(await errors + await output)}");
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
