using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.LibSql;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

/// <summary>A real libSQL server, without authentication, for the tests of one class.</summary>
public sealed class SqldFixture : IAsyncLifetime
{
    private Sqld? _sqld;

    internal Sqld Sqld => _sqld!;

    public async ValueTask InitializeAsync() => _sqld = await Sqld.StartAsync(authenticated: false, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_sqld is not null) await _sqld.DisposeAsync();
    }
}

/// <summary>Clients of a server, all that they log, and servers that answer as a test says.</summary>
internal sealed class TursoBench(TimeProvider? time = null) : IAsyncDisposable
{
    private static int _databases;

    private readonly List<TursoClient> _clients = [];
    private readonly List<WebApplication> _servers = [];
    private readonly List<HttpClient> _proxies = [];
    private readonly ConcurrentQueue<string> _logs = new();

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>All that was logged, from Trace on.</summary>
    public string Logs => string.Join('\n', _logs);

    /// <summary>An empty database of its own.</summary>
    public async Task<TursoDatabase> CreateAsync(Sqld sqld, Action<TursoOptions>? configure = null)
    {
        var name = $"org-{Interlocked.Increment(ref _databases)}";
        return Open(await sqld.CreateAsync(name, Cancellation), configure, organization: name);
    }

    /// <summary>A database wherever it is; its client waits next to nothing between its tries.</summary>
    public TursoDatabase Open(Uri url, Action<TursoOptions>? configure = null, string? secret = null, string organization = "acme")
    {
        var options = new TursoOptions { RetryDelay = TimeSpan.FromMilliseconds(1), MaxRetryDelay = TimeSpan.FromMilliseconds(5) };
        configure?.Invoke(options);
        var logs = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Keeper(_logs)));
        var client = new TursoClient(Options.Create(options), time ?? TimeProvider.System, logs.CreateLogger<TursoClient>());
        _clients.Add(client);
        return client.Open(OrganizationId.Parse(organization), TursoAddress.Parse(url.ToString()), secret);
    }

    /// <summary>A server that answers every request as the test says.</summary>
    public async Task<Uri> ServeAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        var server = builder.Build();
        _servers.Add(server);
        server.Run(answer);
        await server.StartAsync(Cancellation);
        return new Uri(server.Urls.Single());
    }

    /// <summary>A way to a database that does what a test says before a request is passed on, and before its answer is.</summary>
    /// <param name="remote">The database.</param>
    /// <param name="before">True when it has answered itself.</param>
    /// <param name="after">True when it has put an end to it.</param>
    public async Task<Uri> ProxyAsync(TursoDatabase remote, Func<HttpContext, Task<bool>> before, Func<HttpContext, bool>? after = null)
    {
        var target = remote.Address.Url;
        _proxies.Add(new HttpClient(new SocketsHttpHandler { UseProxy = false }));
        var http = _proxies[^1];
        return await ServeAsync(async context =>
        {
            if (await before(context)) return;
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri($"http://127.0.0.1:{target.Port}{context.Request.Path}"));
            request.Headers.Host = target.Authority;
            if (body.Length > 0) request.Content = new ByteArrayContent(body.ToArray()) { Headers = { ContentType = new("application/json") } };
            using var answer = await http.SendAsync(request);
            if (after?.Invoke(context) == true) return;
            context.Response.StatusCode = (int)answer.StatusCode;
            context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
            await answer.Content.CopyToAsync(context.Response.Body);
        });
    }

    /// <summary>Ends a connection without an answer.</summary>
    public static bool Abort(HttpContext context)
    {
        context.Abort();
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in _proxies) proxy.Dispose();
        foreach (var client in _clients) client.Dispose();
        foreach (var server in _servers) await server.DisposeAsync();
    }

    /// <summary>The rows of a cursor.</summary>
    public static async Task<List<TursoValue[]>> AllAsync(TursoCursor cursor)
    {
        await using (cursor)
        {
            return await cursor.ReadAllAsync(Cancellation).ToListAsync(Cancellation);
        }
    }

    private sealed class Keeper(ConcurrentQueue<string> logs) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            logs.Enqueue($"{state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            logs.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
