using Microsoft.Extensions.Options;
using Silo.Gateway.Answers;
using Silo.Telemetry;

namespace Silo.Gateway.Telemetry;

/// <summary>
/// Metrics, spans and logs of a gateway. Spans only when somebody collects them: a registered tracer makes every request record one
/// even if it goes nowhere, and the requests per second would pay for it.
/// </summary>
internal static class GatewayTelemetry
{
    public static void AddGatewayTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<RequestMetrics>();
        builder.Services.AddKeyedSingleton(RequestTraces.SourceName, (services, _) => RequestTraces.Budget(services.GetRequiredService<IOptions<TelemetryOptions>>().Value));
        builder.AddTelemetry(tracing => tracing.AddSource(RequestTraces.SourceName));
    }

    /// <summary>The outermost step, if there is a collector.</summary>
    public static void UseRequestTraces(this WebApplication app)
    {
        if (app.Configuration.HasCollector()) app.UseMiddleware<RequestTraces>();
    }

    public static void MapMetrics(this WebApplication app)
    {
        if (!app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value.Metrics) return;
        var port = app.Services.GetRequiredService<IOptions<GatewayOptions>>().Value.MetricsPort;
        app.MapPrometheusScrapingEndpoint("/metrics").DisableRateLimiting().ExcludeFromDescription().Add(endpoint =>
        {
            var scrape = endpoint.RequestDelegate!;
            endpoint.RequestDelegate = context => port == 0 || context.Connection.LocalPort == port
                ? scrape(context)
                : ProblemAnswer.Write(context, ProblemType.NotFound);
        });
    }
}
