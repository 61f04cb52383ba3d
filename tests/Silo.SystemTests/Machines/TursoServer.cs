using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Silo.LibSql;

namespace Silo.SystemTests.Machines;

/// <summary>A real libSQL server that asks for tokens, and what it itself has.</summary>
internal sealed class TursoServer : IAsyncDisposable
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false });

    private readonly Sqld _sqld;

    private TursoServer(Sqld sqld) => _sqld = sqld;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A token that it takes.</summary>
    public string Token => _sqld.Tokens!.Make();

    public static async Task<TursoServer> StartAsync() => new(await Sqld.StartAsync(authenticated: true, Cancellation));

    public Uri UrlOf(string organization) => _sqld.UrlOf(organization);

    /// <summary>A database with these statements executed, which an operator adds as an organization.</summary>
    public async Task<Uri> AddAsync(StandaloneHost silo, string organization, params string[] statements)
    {
        var url = await CreateAsync(organization);
        if (statements.Length > 0) await SqlAsync(organization, statements);
        (await silo.Operator.PostAsync("/api/admin/organizations", JsonSerializer.Serialize(new { id = organization, name = organization, dbType = "turso", tursoUrl = url }))).Is(201);
        return url;
    }

    /// <summary>An empty database.</summary>
    public Task<Uri> CreateAsync(string organization) => _sqld.CreateAsync(organization, Cancellation);

    /// <summary>Executes statements there; the rows of the last one.</summary>
    public async Task<List<string?[]>> SqlAsync(string organization, params string[] statements)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_sqld.DefaultUrl, "/v3/pipeline"));
        request.Headers.Host = _sqld.UrlOf(organization).Authority;
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        request.Content = new StringContent(JsonSerializer.Serialize(new { requests = statements.Select(sql => new { type = "execute", stmt = new { sql } }) }), Encoding.UTF8, "application/json");
        using var response = await Http.SendAsync(request, Cancellation);
        var text = await response.Content.ReadAsStringAsync(Cancellation);
        var results = JsonDocument.Parse(text).RootElement.GetProperty("results").EnumerateArray().ToList();
        Assert.All(results, result => Assert.True(result.GetProperty("type").GetString() == "ok", text));
        return [.. results[^1].GetProperty("response").GetProperty("result").GetProperty("rows").EnumerateArray()
            .Select(row => row.EnumerateArray().Select(value => value.TryGetProperty("value", out var found) ? found.ToString() : null).ToArray())];
    }

    public Task KillAsync() => _sqld.KillAsync();

    public Task RestartAsync() => _sqld.RestartAsync(Cancellation);

    public ValueTask DisposeAsync() => _sqld.DisposeAsync();
}
