using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Silo.LibSql;

/// <summary>
/// A real libSQL server (sqld 0.24.32) on loopback, in a folder of its own, with a namespace for each organization. It can be killed and
/// started again on the same data and ports. It is ended, by its id, and its folder removed, when this is disposed of.
/// </summary>
internal sealed class Sqld : IAsyncDisposable
{
    private const int MaxActiveNamespaces = 400;
    private const int LinesKept = 500;
    private const int StartTries = 5;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-sqld-");
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private readonly ConcurrentQueue<string> _said = new();
    private readonly IReadOnlyList<string> _arguments;
    private Process? _process;
    private int _port;
    private int _adminPort;

    private Sqld(SqldTokens? tokens, IReadOnlyList<string> arguments) => (Tokens, _arguments) = (tokens, arguments);

    /// <summary>Makes the tokens that it asks for; null when it asks for none.</summary>
    public SqldTokens? Tokens { get; }

    /// <summary>Its process id; another one after each start.</summary>
    public int Pid => _process!.Id;

    /// <summary>The address of the database that is there without any namespace.</summary>
    public Uri DefaultUrl => new(string.Create(CultureInfo.InvariantCulture, $"http://localhost:{_port}"));

    /// <summary>Where its operators' requests go.</summary>
    public Uri AdminUrl => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_adminPort}"));

    /// <summary>The last lines that it wrote.</summary>
    public string Said => string.Join('\n', _said);

    /// <summary>Starts one and waits until it serves.</summary>
    /// <param name="authenticated">Whether requests need a token of <see cref="Tokens"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="arguments">More arguments of sqld, such as <c>--max-response-size 1MB</c>.</param>
    public static async Task<Sqld> StartAsync(bool authenticated, CancellationToken cancellationToken, params string[] arguments)
    {
        var sqld = new Sqld(authenticated ? new SqldTokens() : null, arguments);
        try
        {
            for (var tries = 1; ; tries++)
            {
                (sqld._port, sqld._adminPort) = (LoopbackPort.Take(), LoopbackPort.Take());
                if (await sqld.TryStartAsync(cancellationToken)) return sqld;
                if (tries == StartTries) throw new InvalidOperationException($"sqld ended {tries} times instead of serving:\n{sqld.Said}");
            }
        }
        catch
        {
            await sqld.DisposeAsync();
            throw;
        }
    }

    /// <summary>The address of an organization's database, whether there is one or not.</summary>
    public Uri UrlOf(string @namespace) => new(string.Create(CultureInfo.InvariantCulture, $"http://{@namespace}.localhost:{_port}"));

    /// <summary>Makes an empty database.</summary>
    /// <param name="namespace">Its name, which may be an organization's id.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Its address.</returns>
    public async Task<Uri> CreateAsync(string @namespace, CancellationToken cancellationToken)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri(AdminUrl, $"/v1/namespaces/{@namespace}/create"), new JsonObject(), cancellationToken);
        answer.EnsureSuccessStatusCode();
        return UrlOf(@namespace);
    }

    /// <summary>Ends it as <c>kill -9</c> does; its data stays.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process) return;
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
        process.Dispose();
        _process = null;
    }

    /// <summary>Starts it again after <see cref="KillAsync"/>, with the same data and at the same addresses.</summary>
    public async Task RestartAsync(CancellationToken cancellationToken)
    {
        await KillAsync();
        if (!await TryStartAsync(cancellationToken)) throw new InvalidOperationException($"sqld did not start again:\n{Said}");
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<bool> TryStartAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "sqld", "sqld"),
            [
                "--no-welcome", "--enable-namespaces", "--db-path", Path.Combine(_folder.FullName, "data.sqld"),
                "--http-listen-addr", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}"),
                "--admin-listen-addr", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_adminPort}"),
                "--max-active-namespaces", MaxActiveNamespaces.ToString(CultureInfo.InvariantCulture),
                .. _arguments,
            ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
        };
        // Each of its arguments can be a variable too, and the machine's are not meant.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("SQLD_", StringComparison.Ordinal) || name.StartsWith("LIBSQL_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        if (Tokens is { } tokens) start.Environment["SQLD_AUTH_JWT_KEY"] = tokens.PublicKey;

        var process = _process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (await ServesAsync(process, cancellationToken)) return true;
        await KillAsync();
        return false;
    }

    private async Task<bool> ServesAsync(Process process, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartLimit);
        using var timer = new PeriodicTimer(Poll, TimeProvider.System);
        while (!process.HasExited)
        {
            if (await AnswersAsync(_port, "/health") && await AnswersAsync(_adminPort, "/")) return !process.HasExited;
            await timer.WaitForNextTickAsync(limit.Token);
        }
        return false;

        async Task<bool> AnswersAsync(int port, string path)
        {
            try
            {
                using var answer = await _http.GetAsync(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}{path}"), limit.Token);
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrEmpty(line)) return;
        _said.Enqueue(line);
        while (_said.Count > LinesKept) _said.TryDequeue(out _);
    }
}
