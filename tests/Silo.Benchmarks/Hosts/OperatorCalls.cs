using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Load;

namespace Silo.Benchmarks.Hosts;

/// <summary>What an operator, and a member before the measurement, asks of a server. Nothing here is measured.</summary>
internal sealed class OperatorCalls : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan WaitLimit = TimeSpan.FromMinutes(2);

    private readonly ServedProcess _server;
    private readonly BenchmarkTokens _tokens;
    private readonly HttpClient _http;

    public OperatorCalls(ServedProcess server, BenchmarkTokens tokens)
    {
        _server = server;
        _tokens = tokens;
        _http = new HttpClient { BaseAddress = server.Url, Timeout = WaitLimit };
    }

    /// <summary>Adds an organization to the catalog.</summary>
    public async Task CreateOrganizationAsync(string id, CancellationToken cancellationToken, string durability = "local") =>
        Check(await SendAsync(HttpMethod.Post, "/api/admin/organizations", _tokens.Admin, new { id, name = id, dbType = "sqlite", durability }, cancellationToken));

    /// <summary>Adds an organization on Turso to the catalog.</summary>
    public async Task CreateOnTursoAsync(string id, Uri url, CancellationToken cancellationToken) =>
        Check(await SendAsync(HttpMethod.Post, "/api/admin/organizations", _tokens.Admin, new { id, name = id, dbType = "turso", tursoUrl = url }, cancellationToken));

    /// <summary>Moves an organization from Turso to SQLite.</summary>
    /// <returns>What the server reports of it.</returns>
    public async Task<JsonElement> MigrateAsync(string id, CancellationToken cancellationToken)
    {
        var path = $"/api/admin/organizations/{id}/migrate";
        using (var begun = await SendAsync(HttpMethod.Post, path, _tokens.Admin, new { }, cancellationToken)) Check(begun);
        JsonElement status = default;
        await WaitAsync(
            $"the migration of {id}",
            async () =>
            {
                using var answer = await SendAsync(HttpMethod.Get, path, _tokens.Admin, null, cancellationToken);
                status = await Check(answer).Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
                return !status.GetProperty("isRunning").GetBoolean();
            },
            cancellationToken);
        return status.GetProperty("step").GetString() == "completed"
            ? status.GetProperty("report")
            : throw new BenchmarkException($"{id} was not migrated: {status.GetProperty("problem").GetString()}");
    }

    /// <summary>An active database's status; null when it is not active.</summary>
    public async Task<JsonElement?> StatusAsync(string id, CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"/api/admin/databases/{id}", _tokens.Admin, null, cancellationToken);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await Check(answer).Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
    }

    /// <summary>Puts a database away and waits until it is.</summary>
    public async Task DeactivateAsync(string id, CancellationToken cancellationToken)
    {
        using (var answer = await SendAsync(HttpMethod.Post, $"/api/admin/databases/{id}/deactivate", _tokens.Admin, null, cancellationToken))
        {
            if (answer.StatusCode != HttpStatusCode.NotFound) Check(answer);
        }
        await WaitAsync($"{id} to be put away", async () => await StatusAsync(id, cancellationToken) is null, cancellationToken);
    }

    /// <summary>Waits until a gateway has its cluster.</summary>
    public Task WaitReadyAsync(CancellationToken cancellationToken) => WaitAsync("the cluster", async () =>
    {
        using var answer = await SendAsync(HttpMethod.Get, "/health/ready", _tokens.Admin, null, cancellationToken);
        return answer.IsSuccessStatusCode;
    }, cancellationToken);

    /// <summary>How far the bucket is behind each active database, in seconds.</summary>
    public async Task<List<double>> LagSecondsAsync(CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(HttpMethod.Get, "/api/admin/databases", _tokens.Admin, null, cancellationToken);
        var active = (await Check(answer).Content.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("items").EnumerateArray();
        return [.. active.Select(status => status.GetProperty("replicationLagSeconds").GetDouble())];
    }

    /// <summary>Puts every active database away: after a crash, a silo opens those whose files it finds.</summary>
    public async Task DeactivateAllAsync(CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(HttpMethod.Get, "/api/admin/databases", _tokens.Admin, null, cancellationToken);
        var active = (await Check(answer).Content.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("items").EnumerateArray();
        foreach (var id in active.Select(status => status.GetProperty("organization").GetString()!).ToList()) await DeactivateAsync(id, cancellationToken);
    }

    /// <summary>Waits until the bucket has all of an active database, under a published generation.</summary>
    public Task WaitReplicatedAsync(string id, CancellationToken cancellationToken) => WaitAsync(
        $"the replica of {id}",
        async () => await StatusAsync(id, cancellationToken) is { } status
            && status.TryGetProperty("generation", out var generation) && generation.ValueKind == JsonValueKind.String
            && status.GetProperty("replicationLagSeconds").GetDouble() == 0,
        cancellationToken);

    /// <summary>The ids of an organization's contacts, newest first.</summary>
    public async Task<List<string>> ContactIdsAsync(string organization, int most, CancellationToken cancellationToken)
    {
        var ids = new List<string>();
        for (string? cursor = null; ids.Count < most;)
        {
            var page = await ListAsync(organization, Math.Min(500, most), cursor, cancellationToken);
            ids.AddRange(page.GetProperty("items").EnumerateArray().Select(contact => contact.GetProperty("id").GetString()!));
            if ((cursor = page.GetProperty("nextCursor").GetString()) is null) break;
        }
        return ids;
    }

    /// <summary>One page of contacts.</summary>
    public async Task<JsonElement> ListAsync(string organization, int limit, string? cursor, CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"/api/contacts?limit={limit}&cursor={cursor}", _tokens.Member(organization), null, cancellationToken);
        return await Check(answer).Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
    }

    /// <summary>Lets every bucket request take longer; not at all for zero.</summary>
    public async Task DelayBucketAsync(int milliseconds, CancellationToken cancellationToken)
    {
        if (_server.BucketUrl is not { } bucket) return;
        object[] faults = milliseconds == 0 ? [] : [new { action = "delay", delayMs = milliseconds }];
        using var answer = await _http.PutAsJsonAsync(new Uri(bucket, "/_emulator/faults"), faults, cancellationToken);
        Check(answer);
    }

    /// <summary>How many requests the bucket has answered; 0 without one.</summary>
    public async Task<long> CountBucketRequestsAsync(CancellationToken cancellationToken)
    {
        if (_server.BucketUrl is not { } bucket) return 0;
        var statistics = await _http.GetFromJsonAsync<JsonElement>(new Uri(bucket, "/_emulator/stats"), cancellationToken);
        return statistics.GetProperty("requests").EnumerateObject().Where(kind => kind.Name != "control").Sum(kind => kind.Value.GetInt64());
    }

    public void Dispose() => _http.Dispose();

    private static async Task WaitAsync(string what, Func<Task<bool>> happened, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Poll, TimeProvider.System);
        var begun = TimeProvider.System.GetTimestamp();
        while (!await happened())
        {
            if (TimeProvider.System.GetElapsedTime(begun) > WaitLimit) throw new BenchmarkException($"Waited for {what} for {WaitLimit.TotalSeconds} s.");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private static HttpResponseMessage Check(HttpResponseMessage answer) => answer.IsSuccessStatusCode
        ? answer
        : throw new BenchmarkException($"{answer.RequestMessage!.Method} {answer.RequestMessage.RequestUri!.AbsolutePath} answered {(int)answer.StatusCode}.");

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string token, object? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        if (body is not null) request.Content = JsonContent.Create(body);
        return await _http.SendAsync(request, cancellationToken);
    }
}
