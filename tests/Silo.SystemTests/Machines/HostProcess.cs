using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Silo.Contracts.Hosting;
using Silo.Storage.Litestream;

namespace Silo.SystemTests.Machines;

/// <summary>One of our programs as users start it. What it says is kept for the report of the test.</summary>
internal sealed class HostProcess : IAsyncDisposable
{
    /// <summary>No healthy program needs it; a hung one must not hold the run up for ever.</summary>
    private static readonly TimeSpan ExitLimit = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly string? _readyFile;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private HostProcess(ProcessStartInfo start, string? readyFile)
    {
        _readyFile = readyFile;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(_errors, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Identity = ChildProcess.Find(_process.Id) ?? new ChildProcess(_process.Id, 0);
    }

    public ChildProcess Identity { get; }

    public string Output => string.Join('\n', _output);

    public string Errors => string.Join('\n', _errors);

    /// <summary>Whether it is told of changes of files, as it would be of each write of each database below the working directory (inotify(7)).</summary>
    public bool WatchesFiles => Directory.GetFiles($"/proc/{Identity.Pid}/fd").Any(file => new FileInfo(file).LinkTarget == "anon_inode:inotify");

    public bool HasEnded => _process.HasExited;

    /// <summary>Starts a program of the build, or what stands in front of it (<c>unshare</c>, say).</summary>
    public static HostProcess Start(IReadOnlyList<string> command, string? readyFile, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        // What the shell of the tests means by these is not what a story is about.
        foreach (var name in (string[])["STORAGE_EMULATOR_HOST", "GCS_BUCKET_NAME", "ASPNETCORE_URLS", "DOTNET_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT"]) start.Environment.Remove(name);
        // A program of a story lives for seconds: what it would compile a second time, to be faster afterwards, costs more than all the rest.
        start.Environment["DOTNET_TC_CallCounting"] = "0";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new HostProcess(start, readyFile);
    }

    /// <summary>The path of one of our programs.</summary>
    public static string Program(string name) => Path.Combine(AppContext.BaseDirectory, name);

    /// <summary>Waits until it serves.</summary>
    public async Task<ReadyFile> ReadyAsync()
    {
        await Eventually.IsAsync(() => File.Exists(_readyFile) || _process.HasExited, "the program serves");
        Assert.True(File.Exists(_readyFile), $"The program ended instead of serving:\n{Output}\n{Errors}");
        return JsonSerializer.Deserialize(await File.ReadAllBytesAsync(_readyFile!, TestContext.Current.CancellationToken), ReadyFileJson.Default.ReadyFile)!;
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(ExitLimit, TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Ends it as an orchestrator does.</summary>
    /// <returns>Its exit code.</returns>
    public Task<int> TerminateAsync()
    {
        Identity.Terminate();
        return ExitAsync();
    }

    /// <summary>Ends it as <c>kill -9</c> does.</summary>
    public Task<int> KillAsync()
    {
        Identity.Kill();
        return ExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(ExitLimit, CancellationToken.None);
        Report();
        _process.Dispose();
    }

    /// <summary>Adds what it said to the report of the running test.</summary>
    public void Report() => TestContext.Current.TestOutputHelper?.WriteLine(
        $"--- {_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)}: {(_process.HasExited ? _process.ExitCode : "runs")}\n{Output}\n{Errors}");

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        const int MaxLines = 500;
        if (line is null) return;
        lines.Enqueue(line);
        if (lines.Count > MaxLines) lines.TryDequeue(out _);
    }
}
