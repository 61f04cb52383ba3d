using Silo.Storage.Litestream;

namespace Silo.SystemTests.Machines;

/// <summary>The machine of one story: a disk (a folder) and all that runs on it. Nothing of either is left afterwards.</summary>
internal sealed class Machine : IAsyncDisposable
{
    private readonly TestFolder _disk = new();
    private readonly List<HostProcess> _hosts = [];
    private int _starts;

    /// <summary>The path of a name on the disk.</summary>
    public string this[string name] => _disk[name];

    /// <summary>The data folder of the standalone host.</summary>
    public string Data => _disk["data"];

    /// <summary>The files that are in use.</summary>
    public string Databases => Path.Combine(Data, "databases");

    /// <summary>Every process that was started here and still runs, however orphaned: it has the disk in its arguments or its environment.</summary>
    public IReadOnlyList<ChildProcess> Running() =>
        [.. Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, out _)).Select(int.Parse!)
            .Where(Mentions).Select(ChildProcess.Find).OfType<ChildProcess>().Where(process => process.IsAlive)];

    /// <summary>The Litestream processes, and the tails that tie them to their silo.</summary>
    public IReadOnlyList<ChildProcess> Replicating() =>
        [.. Running().Where(process => Read(process.Pid, "comm").TrimEnd() is "litestream" or "cat")];

    /// <summary>The Litestream processes alone.</summary>
    public IReadOnlyList<ChildProcess> Litestreams() => [.. Running().Where(process => Read(process.Pid, "comm").TrimEnd() == "litestream")];

    /// <summary>Starts one of our programs, or another one that stands in front of it.</summary>
    public HostProcess Start(IReadOnlyList<string> command, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        var ready = _disk[$"ready-{++_starts}.json"];
        var host = HostProcess.Start(command.Contains("--help") ? command : [.. command, "--ready-file", ready], ready, environment);
        _hosts.Add(host);
        return host;
    }

    /// <summary>Starts the standalone host on ports that the system chooses; its Litestream is quick, so that stories are, and has time on a busy machine.</summary>
    public Task<StandaloneHost> StartStandaloneAsync(params string[] settings) => StartStandaloneAsync([], settings);

    /// <inheritdoc cref="StartStandaloneAsync(string[])"/>
    /// <param name="front">What stands in front of the program.</param>
    /// <param name="settings">Of the program.</param>
    public async Task<StandaloneHost> StartStandaloneAsync(IEnumerable<string> front, string[] settings)
    {
        var host = Start(
        [
            .. front, HostProcess.Program("Silo.Standalone"), "--urls", "http://127.0.0.1:0", "--bucket-port", "0", "--data", Data, $"--Auth:SigningKey={Service.SigningKey}",
            .. QuickLitestream.Settings, "--Litestream:ReplicatedWait=00:01:00",
            // Nothing is opened but by the story.
            "--WarmUp:MostUsed=0", .. settings,
        ]);
        return new StandaloneHost(host, await host.ReadyAsync());
    }

    /// <summary>Waits until only these still run.</summary>
    public Task OnlyRunsAsync(params HostProcess[] hosts) => Eventually.IsAsync(
        () => Running().Except(hosts.Select(host => host.Identity)).ToList() is [], "no process is left but the host");

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts) await host.DisposeAsync();
        foreach (var left in Running()) left.Kill();
        await Eventually.IsAsync(() => Running().Count == 0, "all processes are gone");
        _disk.Dispose();
    }

    private bool Mentions(int pid) => pid != Environment.ProcessId
        && (Read(pid, "cmdline").Contains(_disk.Path, StringComparison.Ordinal) || Read(pid, "environ").Contains(_disk.Path, StringComparison.Ordinal));

    private static string Read(int pid, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/{file}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // it has just ended, or is not ours
        }
    }
}
