using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Telemetry;

/// <summary>What is measured and traced. Section <c>Telemetry</c>, the same in gateways and silos (this file is part of both).</summary>
internal sealed class TelemetryOptions
{
    public const string Section = "Telemetry";

    /// <summary>Whether <c>/metrics</c> is served. Without it, and without a collector, nothing is measured.</summary>
    public bool Metrics { get; set; } = true;

    /// <summary>
    /// Whether a collector gets the metrics too. OpenTelemetry counts everything once for each way out, so turn it off where Prometheus
    /// asks for <c>/metrics</c>, or <see cref="Metrics"/> where nobody does.
    /// </summary>
    public bool OtlpMetrics { get; set; } = true;

    /// <summary>
    /// The share of requests that are traced when there is a collector, 0 to 1. Where the caller says whether it traces its request
    /// (<c>traceparent</c>), that decides. A traced request costs about as much again as one that is not.
    /// </summary>
    [Range(0.0, 1.0)]
    public double TraceRatio { get; set; } = 0.01;

    /// <summary>
    /// The most traces a second that a gateway begins, 1 to 10,000, whoever wants them: beyond it requests are served untraced, so that
    /// neither load nor a caller who traces everything makes traces dear.
    /// </summary>
    [Range(1, 10_000)]
    public int MaxTracesPerSecond { get; set; } = 20;
}

[OptionsValidator]
internal sealed partial class TelemetryOptionsValidator : IValidateOptions<TelemetryOptions>;
