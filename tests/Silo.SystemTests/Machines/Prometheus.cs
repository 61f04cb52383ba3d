using System.Text.Json;
using Silo.LibSql;

namespace Silo.SystemTests.Machines;

/// <summary>A Prometheus that scrapes a service every half second, with the rules of the repository.</summary>
internal sealed class Prometheus : IAsyncDisposable
{
    private readonly HostProcess _process;
    private readonly HttpClient _http;

    private Prometheus(HostProcess process, int port)
    {
        _process = process;
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Starts it.</summary>
    /// <param name="machine">Where its files are.</param>
    /// <param name="target">The service: the jobs of gateways and of silos both find it there.</param>
    /// <param name="rules">Files of rules.</param>
    public static async Task<Prometheus> StartAsync(Machine machine, Uri target, IEnumerable<string> rules)
    {
        var configuration = machine["prometheus.yaml"];
        await File.WriteAllTextAsync(
            configuration,
            $$"""
            global: { scrape_interval: 500ms, evaluation_interval: 1s }
            rule_files: [{{string.Join(", ", rules.Select(file => $"'{file}'"))}}]
            scrape_configs:
              - { job_name: silo, static_configs: [{ targets: ['{{target.Authority}}'] }] }
              - { job_name: silo-gateway, static_configs: [{ targets: ['{{target.Authority}}'] }] }
            """,
            Cancellation);
        var port = LoopbackPort.Take();
        var process = HostProcess.Start(
            ["prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={machine["prometheus"]}", $"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], readyFile: null);
        var prometheus = new Prometheus(process, port);
        await Eventually.GetAsync(
            async () =>
            {
                Assert.False(process.HasEnded, $"Prometheus ended:\n{process.Output}\n{process.Errors}");
                try
                {
                    return (await prometheus._http.GetAsync("/-/ready", Cancellation)).IsSuccessStatusCode ? "yes" : null;
                }
                catch (HttpRequestException)
                {
                    return null;
                }
            },
            "Prometheus is ready");
        return prometheus;
    }

    /// <summary>What an expression gives now: each series with its labels and its value.</summary>
    public async Task<JsonElement.ArrayEnumerator> QueryAsync(string expression)
    {
        using var answer = await _http.GetAsync($"/api/v1/query?query={Uri.EscapeDataString(expression)}", Cancellation);
        var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancellation)).RootElement;
        Assert.True(answer.IsSuccessStatusCode, $"{expression}: {json}");
        return json.GetProperty("data").GetProperty("result").EnumerateArray();
    }

    /// <summary>The rules as it has loaded them.</summary>
    public async Task<IReadOnlyList<JsonElement>> RulesAsync()
    {
        var json = JsonDocument.Parse(await _http.GetStringAsync("/api/v1/rules", Cancellation)).RootElement;
        return [.. json.GetProperty("data").GetProperty("groups").EnumerateArray().SelectMany(group => group.GetProperty("rules").EnumerateArray())];
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }
}
