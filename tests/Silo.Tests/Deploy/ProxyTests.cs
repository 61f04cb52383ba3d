using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Silo.LibSql;
using Silo.Tests.Architecture;

namespace Silo.Tests.Deploy;

/// <summary>The proxy of <c>docker-compose.yml</c>: a real Caddy with the configuration of the image, in front of two stand-in gateways.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private readonly StandInGateway _first = new();
    private readonly StandInGateway _second = new();
    private readonly HttpClient _client = new();
    private Process? _caddy;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _first.StartAsync();
        await _second.StartAsync();
        // A port that was free a moment ago may be another test's by the time that Caddy takes it.
        while (_caddy is null)
        {
            var (port, healthPort) = (LoopbackPort.Take(), LoopbackPort.Take());
            _client.BaseAddress = new Uri($"http://127.0.0.1:{port}");
            _caddy = await ServedByAsync(port, healthPort);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_caddy is not null)
        {
            _caddy.Kill(entireProcessTree: true);
            await _caddy.WaitForExitAsync(CancellationToken.None);
            _caddy.Dispose();
        }
        _client.Dispose();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Read_OfAGatewayThatBreaksOff_IsAnsweredByTheOther()
    {
        _first.BreaksOff = true;
        for (var i = 0; i < 20; i++) Assert.Equal(HttpStatusCode.OK, (await _client.GetAsync("/api/contacts", Cancellation)).StatusCode);
        Assert.Equal(20, _second.Served);
    }

    [Fact]
    public async Task Write_ThatGotNoAnswer_IsNotSentAgain()
    {
        _first.BreaksOff = _second.BreaksOff = true;
        using var answer = await _client.PostAsync("/api/contacts", new StringContent("{}"), Cancellation);
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal(1, _first.Served + _second.Served);
    }

    /// <summary>Without a body: Caddy kept a body for the second try only from 2.11 on, which the image has and Debian has not.</summary>
    [Fact]
    public async Task Write_WhenAGatewayIsGone_GoesToTheOther()
    {
        var gone = IPEndPoint.Parse(_first.Address);
        await _first.DisposeAsync();
        // A write on a connection that the gateway has closed, and the proxy not yet, may have reached it.
        await Eventually.IsAsync(
            () => IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections().All(connection => !connection.RemoteEndPoint.Equals(gone)),
            "the proxy has closed its connections to the gateway that is gone");
        for (var i = 0; i < 20; i++) Assert.Equal(HttpStatusCode.OK, (await _client.PostAsync("/api/admin/databases/demo/deactivate", null, Cancellation)).StatusCode);
        Assert.Equal(20, _second.Served);
    }

    [Fact]
    public async Task Gateway_ThatIsNotReady_IsLeftOut()
    {
        _first.Ready = false;
        var seen = _first.Asked;
        await Eventually.IsAsync(() => _first.Asked > seen + 1, "the proxy has asked for the gateway's health");
        var served = _first.Served;
        for (var i = 0; i < 20; i++) Assert.Equal(HttpStatusCode.OK, (await _client.GetAsync("/api/contacts", Cancellation)).StatusCode);
        Assert.Equal(served, _first.Served);
    }

    /// <summary>Null if it could not have its ports; anything else that it refuses fails the test.</summary>
    private async Task<Process?> ServedByAsync(int port, int healthPort)
    {
        var caddy = Process.Start(new ProcessStartInfo("caddy", ["run", "--adapter", "caddyfile", "--config", Repository.PathOf("deploy/proxy/Caddyfile")])
        {
            RedirectStandardError = true,
            Environment =
            {
                ["PROXY_LISTEN"] = $"127.0.0.1:{port}",
                ["PROXY_HEALTH"] = $"127.0.0.1:{healthPort}",
                ["PROXY_GATEWAYS"] = $"{_first.Address} {_second.Address}",
                ["HOME"] = _folder.Path,
                ["XDG_DATA_HOME"] = _folder.Path,
                ["XDG_CONFIG_HOME"] = _folder.Path,
            },
        })!;
        var said = new ConcurrentQueue<string?>();
        caddy.ErrorDataReceived += (_, line) => said.Enqueue(line.Data);
        caddy.BeginErrorReadLine();
        try
        {
            await Eventually.IsAsync(() => caddy.HasExited || Listens(port), "Caddy serves");
        }
        catch
        {
            caddy.Kill(entireProcessTree: true);
            throw;
        }
        if (!caddy.HasExited) return caddy;
        await caddy.WaitForExitAsync(Cancellation);
        Assert.Contains("address already in use", string.Join('\n', said), StringComparison.Ordinal);
        caddy.Dispose();
        return null;
    }

    private static bool Listens(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private sealed class StandInGateway : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private int _served;
        private int _asked;

        public StandInGateway()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            _app = builder.Build();
            _app.MapGet("/health/ready", () =>
            {
                Interlocked.Increment(ref _asked);
                return Ready ? Results.Ok() : Results.StatusCode(StatusCodes.Status503ServiceUnavailable);
            });
            _app.MapFallback(context =>
            {
                Interlocked.Increment(ref _served);
                if (BreaksOff) context.Abort();
                return Task.CompletedTask;
            });
        }

        public string Address => new Uri(_app.Urls.Single()).Authority;

        public bool Ready { get; set; } = true;

        public bool BreaksOff { get; set; }

        public int Served => _served;

        public int Asked => _asked;

        public Task StartAsync() => _app.StartAsync(Cancellation);

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }
}
