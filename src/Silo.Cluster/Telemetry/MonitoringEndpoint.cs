using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;
using Silo.Telemetry;

namespace Silo.Cluster.Telemetry;

/// <summary>
/// A silo's own HTTP, if it is given an address: whether it lives, whether it serves, and what it measures. It is there before the
/// silo is and after it, so that a long start or stop can be watched. It knows no callers; who may reach it is the network's to say.
/// </summary>
internal sealed class MonitoringEndpoint : IAsyncDisposable
{
    private const int MaxConnections = 100;

    private readonly IServiceProvider _services;
    private readonly WebApplication _web;

    private MonitoringEndpoint(WebApplication web, IServiceProvider services) => (_web, _services) = (web, services);

    /// <summary>Where it serves; a port of 0 has become the one that the system chose.</summary>
    public string Url => _web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>The option <c>--urls</c>, checked before anything starts.</summary>
    public static Option<string?> Option()
    {
        var urls = new Option<string?>("--urls") { Description = "Where to serve /health/live, /health/ready and /metrics, such as http://127.0.0.1:8081; nowhere if it is not given." };
        urls.Validators.Add(given =>
        {
            foreach (var url in (given.GetValueOrDefault<string?>() ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries))
            {
                if (!IsUrl(url)) given.AddError($"'{url}' is no address to serve at; --urls takes one like http://127.0.0.1:8081.");
            }
        });
        return urls;
    }

    /// <summary>Starts to serve.</summary>
    /// <param name="urls">Where.</param>
    /// <param name="services">Those of the silo, which need not have started.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The port is in use.</exception>
    public static async Task<MonitoringEndpoint> StartAsync(string urls, IServiceProvider services, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls(urls);
        builder.Services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Limits.MaxRequestBodySize = 0;
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(services.GetRequiredService<ILoggerFactory>());
        var endpoint = new MonitoringEndpoint(builder.Build(), services);
        try
        {
            endpoint.Map();
            await endpoint._web.StartAsync(cancellationToken);
            return endpoint;
        }
        catch
        {
            await endpoint._web.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends it; whoever was being answered has the answer.</summary>
    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync();
        await _web.DisposeAsync();
    }

    private void Map()
    {
        _web.MapGet("/health/live", context => AnswerAsync(context, StatusCodes.Status200OK, "live"));
        _web.MapGet("/health/ready", context => IsReady()
            ? AnswerAsync(context, StatusCodes.Status200OK, "ready")
            : AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, "unavailable"));
        if (_services.GetRequiredService<IOptions<TelemetryOptions>>().Value.Metrics)
            _web.MapPrometheusScrapingEndpoint("/metrics", _services.GetRequiredService<MeterProvider>(), configureBranchedPipeline: null, optionsName: null);
    }

    /// <summary>
    /// Whether the silo takes calls. Without its catalog it has not begun to; when that goes away later, what is open serves on, and an
    /// orchestrator that took all silos for broken would end that too.
    /// </summary>
    private bool IsReady()
    {
        var lifetime = _services.GetRequiredService<IHostApplicationLifetime>();
        return lifetime.ApplicationStarted.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested;
    }

    private static Task AnswerAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync($$"""{"status":"{{text}}"}""", context.RequestAborted);
    }

    private static bool IsUrl(string url)
    {
        try
        {
            return BindingAddress.Parse(url) is { Port: >= IPEndPoint.MinPort and <= IPEndPoint.MaxPort, Scheme: "http" };
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
