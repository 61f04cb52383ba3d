using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Silo.Telemetry;

/// <summary>
/// Where metrics, spans and logs go: <c>/metrics</c> for Prometheus always, and by OTLP to a collector if <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>
/// names one. This file is part of gateway and silo, which may not know each other; where both are in one process, the second adds only
/// what it measures.
/// </summary>
internal static class TelemetryExport
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    // Under every other source. One line for each event, whatever it says; "json" instead of "simple" gives its fields, and with
    // IncludeScopes the ids of its trace.
    private static readonly Dictionary<string, string?> LogFormat = new()
    {
        ["Logging:Console:FormatterName"] = "simple",
        ["Logging:Console:FormatterOptions:SingleLine"] = "true",
        ["Logging:Console:FormatterOptions:UseUtcTimestamp"] = "true",
        ["Logging:Console:FormatterOptions:TimestampFormat"] = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ",
    };

    /// <summary>
    /// What is collected: of these meters all, or only what somebody looks at. ASP.NET and Orleans count a dozen things for every request
    /// and message; an instrument that is left out costs nothing.
    /// </summary>
    private static readonly Dictionary<string, string[]?> Meters = new()
    {
        ["Silo"] = null,
        ["Microsoft.AspNetCore.Hosting"] = ["http.server.request.duration"], // the gateway counts its active requests itself
        ["Microsoft.AspNetCore.Server.Kestrel"] = ["kestrel.active_connections", "kestrel.rejected_connections"],
        ["Microsoft.AspNetCore.RateLimiting"] = ["aspnetcore.rate_limiting.queued_requests", "aspnetcore.rate_limiting.request.time_in_queue"],
        ["Microsoft.Orleans"] = ["orleans-app-requests-timedout", "orleans-catalog-activations", "orleans-messaging-rejected", "orleans-messaging-expired"],
        ["System.Net.Http"] = ["http.client.request.duration"],
        ["System.Runtime"] = null,
    };

    // The default ones begin where most of our answers have ended.
    private static readonly double[] RequestSeconds = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    /// <summary>Whether a collector is configured, so that spans are made at all.</summary>
    public static bool HasCollector(this IConfiguration configuration) => !string.IsNullOrEmpty(configuration[Endpoint]);

    /// <summary>Adds the sources of spans of one part of the system, and, once for the process, metrics and the ways out.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="trace">Adds the sources; called only when there is a collector.</param>
    public static void AddTelemetry(this IHostApplicationBuilder builder, Action<TracerProviderBuilder> trace)
    {
        var (services, configuration) = (builder.Services, builder.Configuration);
        var isFirst = !services.Any(service => service.ServiceType == typeof(IValidateOptions<TelemetryOptions>) || service.ServiceType == typeof(MeterProvider));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TelemetryOptions>, TelemetryOptionsValidator>());
        services.AddOptions<TelemetryOptions>().Bind(configuration.GetSection(TelemetryOptions.Section)).ValidateOnStart();
        var options = configuration.GetSection(TelemetryOptions.Section).Get<TelemetryOptions>() ?? new TelemetryOptions();
        if (isFirst) configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = LogFormat });
        if (!options.Metrics && !configuration.HasCollector()) return;

        var telemetry = services.AddOpenTelemetry();
        if (configuration.HasCollector()) telemetry.WithTracing(trace);
        if (isFirst) telemetry.AddExport(builder, options);
    }

    private static void AddExport(this IOpenTelemetryBuilder telemetry, IHostApplicationBuilder builder, TelemetryOptions options)
    {
        var name = builder.Environment.ApplicationName.ToLowerInvariant().Replace('.', '-');
        telemetry.ConfigureResource(resource => resource.AddService(name).AddEnvironmentVariableDetector());
        telemetry.WithMetrics(metrics => metrics
            .AddMeter([.. Meters.Keys])
            .AddView(instrument => Meters[instrument.Meter.Name]?.Contains(instrument.Name) ?? true ? null : MetricStreamConfiguration.Drop)
            // Not to whom: an organization on Turso has a server of its own name.
            .AddView("http.client.request.duration", new MetricStreamConfiguration { TagKeys = ["http.request.method", "http.response.status_code", "error.type"] })
            .AddView("http.server.request.duration", new ExplicitBucketHistogramConfiguration { Boundaries = RequestSeconds }));
        if (options.Metrics) telemetry.WithMetrics(metrics => metrics.AddPrometheusExporter());
        if (!builder.Configuration.HasCollector()) return;
        if (options.OtlpMetrics) telemetry.WithMetrics(metrics => metrics.AddOtlpExporter());
        telemetry
            .WithTracing(tracing =>
            {
                // Whether a request is traced was decided before its first span was made (RequestTraces), so that others make none.
                tracing.SetSampler(new AlwaysOnSampler()).AddOtlpExporter();
            })
            .WithLogging(logging => logging.AddOtlpExporter(), logs => logs.IncludeFormattedMessage = true);
    }
}
