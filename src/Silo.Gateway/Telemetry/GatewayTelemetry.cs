using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Silo.Gateway.Answers;

namespace Silo.Gateway.Telemetry;

/// <summary>
/// Metrics at <c>/metrics</c> always; spans only when somebody collects them. A registered tracer makes every request and every
/// grain call record a span even if it goes nowhere, and the requests per second would pay for it.
/// </summary>
internal static class GatewayTelemetry
{
    private const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    // Not AddAspNetCoreInstrumentation: it would also time authentication, authorization and routing, for each request.
    private static readonly string[] Meters =
    [
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.RateLimiting", "Microsoft.Orleans", "Silo",
    ];

    public static void AddGatewayTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<RejectionMetrics>();
        var collected = !string.IsNullOrEmpty(configuration[OtlpEndpoint]);
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("silo-gateway").AddEnvironmentVariableDetector())
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Meters).AddPrometheusExporter();
                if (collected) metrics.AddOtlpExporter();
            });
        if (!collected) return;
        telemetry.WithTracing(tracing => tracing
            .AddAspNetCoreInstrumentation()
            .AddSource("Microsoft.Orleans.Application", "Microsoft.Orleans.Runtime", "Microsoft.Orleans.Lifecycle", "Silo.*")
            .AddOtlpExporter());
    }

    public static void MapMetrics(this WebApplication app)
    {
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
