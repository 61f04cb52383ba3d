using System.Diagnostics;
using System.Text.Json;

namespace Silo.Tests.GcsEmulator;

/// <summary>The emulator as users start it: its own process, on a port that the system chose.</summary>
internal sealed class EmulatorProcess : IAsyncDisposable
{
    private readonly Process _process;

    private EmulatorProcess(Process process, Uri url) => (_process, Http) = (process, new HttpClient { BaseAddress = url });

    public HttpClient Http { get; }

    public Uri Url => Http.BaseAddress!;

    /// <summary>The most memory that it ever held, from the kernel.</summary>
    public long PeakMemoryBytes => 1024 * long.Parse(
        File.ReadLines($"/proc/{_process.Id}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ')[^2]);

    public static async Task<EmulatorProcess> StartAsync(string folder, params string[] arguments)
    {
        var cancellation = TestContext.Current.CancellationToken;
        var readyFile = Path.Combine(folder, "ready.json");
        File.Delete(readyFile);
        var process = Process.Start(Command(["--port", "0", "--data", Path.Combine(folder, "data"), "--ready-file", readyFile, .. arguments]))!;
        await Eventually.IsAsync(() => File.Exists(readyFile) || process.HasExited, "the emulator serves or ends");
        Assert.False(process.HasExited, "The emulator ended instead of serving.");
        var ready = JsonDocument.Parse(await File.ReadAllBytesAsync(readyFile, cancellation)).RootElement;
        Assert.Equal(process.Id, ready.GetProperty("pid").GetInt32());
        return new EmulatorProcess(process, new Uri(ready.GetProperty("bucketUrl").GetString()!));
    }

    public static ProcessStartInfo Command(params string[] arguments) =>
        new(Path.Combine(AppContext.BaseDirectory, "Silo.GcsEmulator"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };

    /// <summary>Ends it as kill -9 does.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Ends it as an orchestrator does, and answers its exit code.</summary>
    public async Task<int> TerminateAsync()
    {
        await ClientTools.TerminateAsync(_process);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }
}
