using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Silo.Storage.Litestream;

/// <summary>
/// The Litestream program that every child of this process runs. It is looked for at the setting <c>Litestream:Path</c>, then on
/// <c>PATH</c>, then beside this program, where the build places it; the first one found must be <see cref="RequiredVersion"/>.
/// A wrong one is refused, never passed over: another version may keep its replica in another form, and whoever set it up
/// should hear of it before it writes to a bucket.
/// </summary>
public sealed class LitestreamBinary
{
    /// <summary>What <c>litestream version</c> must print. DESIGN.md rests on the behaviour of exactly this one.</summary>
    public const string RequiredVersion = "v0.3.13";

    /// <summary>The SHA-256 of the copy that the build fetches, in lower-case hexadecimal digits. The lock file pins the package, this what is run.</summary>
    public const string BuildSha256 = "bbd8b9baa5bd9ae35318bececace384247b71fed4269a3e3cb8a8ac3f6c957bb";

    private const string Setting = "Litestream:Path";
    private const string HashSetting = "Litestream:Sha256";

    // A version fits many times over; what prints more is something else.
    private const int OutputLimitChars = 256;

    private static readonly TimeSpan VersionTimeLimit = TimeSpan.FromSeconds(10);

    private LitestreamBinary(string path, string sha256) => (Path, Sha256) = (path, sha256);

    /// <summary>The program's full path; it existed, was executable and had the required version when it was located.</summary>
    public string Path { get; }

    /// <summary>The SHA-256 of the program, in lower-case hexadecimal digits.</summary>
    public string Sha256 { get; }

    /// <summary>Finds the program and asks it for its version.</summary>
    /// <param name="configuredPath">The value of <c>Litestream:Path</c>; null or empty when it is not set.</param>
    /// <param name="configuredSha256">
    /// The value of <c>Litestream:Sha256</c>: what the program must be. When it is not set, only the copy of the build is known, and must be
    /// <see cref="BuildSha256"/>.
    /// </param>
    /// <param name="cancellationToken">Ends the search and the program that was asked.</param>
    /// <exception cref="LitestreamNotFoundException">There is none, it is not the required version, or not the program that it must be.</exception>
    public static Task<LitestreamBinary> LocateAsync(string? configuredPath, string? configuredSha256, CancellationToken cancellationToken) =>
        LocateAsync(configuredPath, configuredSha256, Environment.GetEnvironmentVariable("PATH"), AppContext.BaseDirectory, TimeProvider.System, cancellationToken);

    internal static async Task<LitestreamBinary> LocateAsync(
        string? configuredPath, string? configuredSha256, string? searchPath, string baseDirectory, TimeProvider time, CancellationToken cancellationToken)
    {
        var (path, remedy) = Find(configuredPath, searchPath, baseDirectory);
        // Before it is run for the first time.
        var sha256 = await HashAsync(path, cancellationToken);
        var expected = !string.IsNullOrEmpty(configuredSha256) ? configuredSha256.ToLowerInvariant() : path == BuiltPath(baseDirectory) ? BuildSha256 : null;
        if (expected is not null && sha256 != expected)
            throw new LitestreamNotFoundException($"'{path}' has the SHA-256 {sha256}, and must have {expected}{(string.IsNullOrEmpty(configuredSha256) ? "" : $" ({HashSetting})")}: it is another program. {remedy}");
        var version = await AskVersionAsync(path, remedy, time, cancellationToken);
        return version == RequiredVersion
            ? new LitestreamBinary(path, sha256)
            : throw new LitestreamNotFoundException($"'{path}' is not Litestream {RequiredVersion}: its version command printed '{version}'. {remedy}");
    }

    private static (string Path, string Remedy) Find(string? configuredPath, string? searchPath, string baseDirectory)
    {
        if (!string.IsNullOrEmpty(configuredPath))
        {
            var configured = System.IO.Path.GetFullPath(configuredPath);
            var remedy = $"Set {Setting} to a Litestream {RequiredVersion}, or remove the setting to use the one on PATH or beside this program.";
            return IsExecutableFile(configured)
                ? (configured, remedy)
                : throw new LitestreamNotFoundException($"{Setting} names '{configured}', which is not an executable file. {remedy}");
        }

        // An empty or relative entry of PATH means the current directory, from where nothing should be started by surprise.
        var onPath = (searchPath ?? "").Split(System.IO.Path.PathSeparator)
            .Where(System.IO.Path.IsPathRooted)
            .Select(directory => System.IO.Path.Combine(directory, "litestream"))
            .FirstOrDefault(IsExecutableFile);
        if (onPath is not null)
            return (onPath, $"Set {Setting} to a Litestream {RequiredVersion}, or take this one off PATH.");

        var built = BuiltPath(baseDirectory);
        return IsExecutableFile(built)
            ? (built, $"Build again to fetch it, or set {Setting} to a Litestream {RequiredVersion}.")
            : throw new LitestreamNotFoundException(
                $"There is no Litestream: {Setting} is not set, PATH has none, and '{built}' does not exist or is not executable. "
                + $"Set {Setting} to a Litestream {RequiredVersion}, or build again on a machine with npm and a network, which places one there.");
    }

    private static string BuiltPath(string baseDirectory) => System.IO.Path.Combine(baseDirectory, "litestream", "litestream");

    private static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        await using var program = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(program, cancellationToken));
    }

    private static bool IsExecutableFile(string path)
    {
        const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        try
        {
            return File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & Executable) != 0);
        }
        catch (IOException)
        {
            return false; // A link that leads nowhere exists for File.Exists.
        }
    }

    private static async Task<string> AskVersionAsync(string path, string remedy, TimeProvider time, CancellationToken cancellationToken)
    {
        // The limit counts from before the start: the program may be running, and hang, before Start comes back.
        using var timeLimit = new CancellationTokenSource(VersionTimeLimit, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(timeLimit.Token, cancellationToken);
        using var process = new Process { StartInfo = new(path, ["version"]) { RedirectStandardOutput = true, RedirectStandardError = true } };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new LitestreamNotFoundException($"'{path}' could not be started: {e.Message}. {remedy}", e);
        }

        try
        {
            var output = ReadAsync(process.StandardOutput, ended.Token);
            var errors = ReadAsync(process.StandardError, ended.Token);
            await Task.WhenAll(output, errors);
            await process.WaitForExitAsync(ended.Token);
            var (text, errorText) = (await output, await errors);
            return process.ExitCode == 0 ? text : $"{text} {errorText} (exit code {process.ExitCode})".Trim();
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LitestreamNotFoundException(
                $"'{path} version' did not end within {VersionTimeLimit.TotalSeconds} seconds and was killed. {remedy}", e);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
    }

    // Reads to the end so that the program is never stuck on a full pipe, and keeps the beginning.
    private static async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var kept = new char[OutputLimitChars];
        var length = await reader.ReadBlockAsync(kept, cancellationToken);
        var rest = new char[OutputLimitChars];
        while (length == kept.Length && await reader.ReadAsync(rest, cancellationToken) > 0) { }
        return new string(kept, 0, length).Trim();
    }
}

/// <summary>There is no Litestream that this process may use; the message names the file, what is wrong with it and what to do.</summary>
public sealed class LitestreamNotFoundException : Exception
{
    internal LitestreamNotFoundException(string message, Exception? innerException = null) : base(message, innerException) { }
}
