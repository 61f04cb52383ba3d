using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Silo.Storage.Litestream;

namespace Silo.Benchmarks.Hosts;

/// <summary>
/// A server in a process of its own: started, ready, stopped. Both kinds run with the standalone host's runtime settings (garbage
/// collector, compilation tiers), so that these do not differ.
/// </summary>
internal sealed class ServedProcess : IAsyncDisposable
{
    private const int LinesKept = 40;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _said = new();

    private ServedProcess(string name, Process process)
    {
        Name = name;
        _process = process;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Where the standalone host's runtime settings are.</summary>
    public static string RuntimeSettings => Path.Combine(AppContext.BaseDirectory, "Silo.Standalone.runtimeconfig.json");

    /// <summary>Silo, or the floor.</summary>
    public string Name { get; }

    public int Pid => _process.Id;

    /// <summary>Where it serves HTTP; a silo alone does not.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>Where its bucket emulator serves; null for the floor.</summary>
    public Uri? BucketUrl { get; private set; }

    /// <summary>Starts a program of ours and waits until it serves.</summary>
    public static async Task<ServedProcess> StartAsync(
        string name, string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> environment, CancellationToken cancellationToken)
    {
        var ready = Path.Combine(Path.GetTempPath(), $"silo-ready-{Guid.NewGuid():N}.json");
        var start = new ProcessStartInfo(
            Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet",
            ["exec", "--runtimeconfig", RuntimeSettings, "--depsfile", At(program + ".deps.json"), At(program + ".dll"), .. arguments, "--ready-file", ready])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (variable, value) in environment) start.Environment[variable] = value;
        var served = new ServedProcess(name, Process.Start(start)!);
        try
        {
            await served.WaitReadyAsync(ready, cancellationToken);
            return served;
        }
        catch
        {
            await served.DisposeAsync();
            throw;
        }
        finally
        {
            File.Delete(ready);
        }

        static string At(string file) => Path.Combine(AppContext.BaseDirectory, file);
    }

    /// <summary>Asks it to end and waits until it has; kills it and its children when it takes too long.</summary>
    public async ValueTask DisposeAsync()
    {
        ChildProcess.Find(Pid)?.Terminate();
        using var limit = new CancellationTokenSource(StopLimit);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        _process.Dispose();
    }

    /// <summary>The last lines that it wrote.</summary>
    public string Said() => string.Join('\n', _said);

    private async Task WaitReadyAsync(string file, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Poll, TimeProvider.System);
        var begun = TimeProvider.System.GetTimestamp();
        while (!File.Exists(file))
        {
            if (_process.HasExited) throw new Load.BenchmarkException($"{Name} ended with exit code {_process.ExitCode} before it served:\n{Said()}");
            if (TimeProvider.System.GetElapsedTime(begun) > StartLimit) throw new Load.BenchmarkException($"{Name} did not serve within {StartLimit.TotalSeconds} s:\n{Said()}");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
        using var ready = JsonDocument.Parse(await File.ReadAllBytesAsync(file, cancellationToken));
        if (ready.RootElement.TryGetProperty("url", out var url) && url.GetString() is { } served) Url = new Uri(served);
        if (ready.RootElement.TryGetProperty("bucketUrl", out var bucket) && bucket.GetString() is { } address) BucketUrl = new Uri(address);
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrEmpty(line)) return;
        _said.Enqueue(line);
        while (_said.Count > LinesKept) _said.TryDequeue(out _);
    }
}
