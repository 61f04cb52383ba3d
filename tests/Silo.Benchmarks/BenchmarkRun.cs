using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;
using Spectre.Console;

namespace Silo.Benchmarks;

/// <summary>One run: its settings, its folder, the servers it starts and the report it writes.</summary>
internal sealed class BenchmarkRun : IDisposable
{
    private readonly DirectoryInfo _folder;

    public BenchmarkRun(BenchmarkSettings settings)
    {
        Settings = settings;
        _folder = settings.Data ?? Directory.CreateTempSubdirectory("silo-benchmarks-");
        _folder.Create();
        Log = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        var console = AnsiConsole.Console;
        if (!console.Profile.Out.IsTerminal) console.Profile.Width = 160;
        Report = new BenchmarkReport(console, settings.Json, MachineFacts.Read(), TimeProvider.System);
    }

    public BenchmarkSettings Settings { get; }

    public BenchmarkTokens Tokens { get; } = new();

    public BenchmarkReport Report { get; }

    /// <summary>Where progress is told: standard error, so that the table can be redirected.</summary>
    public IAnsiConsole Log { get; }

    /// <summary>Where everything of the run is.</summary>
    public string Folder => _folder.FullName;

    /// <summary>Environment variables of the servers.</summary>
    public IEnumerable<KeyValuePair<string, string>> Environment =>
        from setting in Settings.Environment
        let parts = setting.Split('=', 2)
        select KeyValuePair.Create(parts[0], parts.Length == 2 ? parts[1] : "");

    /// <summary>What has been seeded into the folder.</summary>
    public string SeededFile => Path.Combine(_folder.FullName, "seeded.json");

    /// <summary>Where Silo's files are.</summary>
    public string SiloFolder => Path.Combine(_folder.FullName, "silo");

    /// <summary>Where the floor's files are.</summary>
    public string FloorFolder => Path.Combine(_folder.FullName, "floor");

    /// <summary>
    /// Starts the standalone host: gateway, silo and bucket emulator in one process, and the Litestreams that it starts. No
    /// organization is active.
    /// </summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="settings">Settings beside those of the command line, <c>Section:Key=value</c>.</param>
    public Task<ServedProcess> StartSiloAsync(CancellationToken cancellationToken, params string[] settings) => StartSiloAsync(SiloFolder, [], cancellationToken, settings);

    /// <inheritdoc cref="StartSiloAsync(CancellationToken, string[])"/>
    /// <param name="folder">Its data.</param>
    /// <param name="environment">Environment variables beside those of the command line.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="settings">Settings.</param>
    public async Task<ServedProcess> StartSiloAsync(
        string folder, IEnumerable<KeyValuePair<string, string>> environment, CancellationToken cancellationToken, params string[] settings)
    {
        var silo = await ServedProcess.StartAsync(
            "Silo", "Silo.Standalone",
            [
                "--urls", "http://127.0.0.1:0", "--bucket-port", "0", "--data", folder,
                "--Auth:SigningKey=" + Tokens.SigningKey, "--Database:IdleTimeout=01:00:00", "--Logging:LogLevel:Default=Warning",
                "--WarmUp:MostUsed=0", // what was seeded would otherwise be opened unasked while others are measured
                .. Settings.HostSettings.Concat(settings).Select(setting => "--" + setting),
            ],
            [.. Environment, .. environment], cancellationToken);
        try
        {
            using var calls = new OperatorCalls(silo, Tokens);
            await calls.DeactivateAllAsync(cancellationToken);
            return silo;
        }
        catch
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the floor.</summary>
    public Task<ServedProcess> StartFloorAsync(CancellationToken cancellationToken) => ServedProcess.StartAsync(
        "floor", "Silo.Benchmarks", ["floor", "--data", FloorFolder, "--port", "0", "--Auth:SigningKey=" + Tokens.SigningKey], Environment, cancellationToken);

    /// <summary>Tells what happens.</summary>
    public void Say(string text) => Log.MarkupLineInterpolated($"[grey]{text}[/]");

    public void Dispose()
    {
        if (Settings.Data is null) _folder.Delete(recursive: true);
    }
}
