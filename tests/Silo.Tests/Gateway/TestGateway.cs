using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Silo.Gateway;
using Silo.Gateway.Authentication;

namespace Silo.Tests.Gateway;

/// <summary>A gateway on a port of its own, and a client of it.</summary>
public sealed class TestGateway : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestGateway(WebApplication app, string signingKey)
    {
        _app = app;
        SigningKey = signingKey;
        Tokens = new DevelopmentTokens(signingKey, TimeProvider.System);
        Url = new Uri(ListeningAddress.Of(app));
        Client = new HttpClient { BaseAddress = Url };
    }

    public string SigningKey { get; }

    public DevelopmentTokens Tokens { get; }

    public Uri Url { get; }

    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<TestGateway> Start(
        IGrainFactory? grains, Action<WebApplicationBuilder>? configure = null, params (string Key, string Value)[] settings)
    {
        var key = DevelopmentTokens.NewSigningKey();
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        if (!settings.Any(setting => setting.Key == "Auth:Authority")) builder.Configuration["Auth:SigningKey"] = key;
        builder.Configuration["Gcs:BucketName"] = "no-bucket-is-asked";
        foreach (var (name, value) in settings) builder.Configuration[name] = value;
        if (grains is not null) builder.Services.AddSingleton(grains);
        configure?.Invoke(builder);
        builder.AddSiloGateway();
        var app = builder.Build();
        app.MapSiloGateway();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new TestGateway(app, key);
    }

    public string Member(string organization) => Tokens.Member(organization);

    /// <summary>Sends a request; <paramref name="json"/> is its body, if any.</summary>
    public async Task<HttpResponseMessage> Send(
        HttpMethod method, string path, string? token = null, string? json = null, Action<HttpRequestMessage>? configure = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (json is not null) request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        configure?.Invoke(request);
        return await Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public Task<HttpResponseMessage> Get(string path, string? token = null) => Send(HttpMethod.Get, path, token);

    /// <summary>Sends bytes as they are and reads until the gateway closes.</summary>
    public async Task<string> SendRaw(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Url.Port, TestContext.Current.CancellationToken);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), TestContext.Current.CancellationToken);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Stops it; the requests that it has answered are over afterwards.</summary>
    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}

/// <summary>What the tests look for in answers.</summary>
internal static class Answers
{
    public static async Task<JsonElement> Json(this HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    /// <summary>Checks all that every problem has in common, and returns it.</summary>
    public static async Task<JsonElement> Problem(this HttpResponseMessage response, int status, string code)
    {
        var problem = await response.Json();
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.Equal("urn:silo:problem:" + code, problem.GetProperty("type").GetString());
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("title").GetString()));
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("detail").GetString()));
        Assert.Matches("^[0-9a-f]{32}$", problem.GetProperty("traceId").GetString());
        Assert.Equal(status is 429 or 503, response.Headers.RetryAfter?.Delta >= TimeSpan.FromSeconds(1));
        return problem;
    }
}
