using System.Diagnostics.Metrics;

namespace Silo.Storage.Telemetry;

/// <summary>
/// The meter of what Silo measures itself. Names and units follow OpenTelemetry's semantic conventions where they have one for it; what
/// is ours begins with <c>silo.</c>. No label ever names an organization: the admin API tells of single ones.
/// </summary>
public static class SiloMeter
{
    /// <summary>Its name.</summary>
    public const string Name = "Silo";

    /// <summary>Seconds of what takes from a millisecond to minutes.</summary>
    internal static readonly double[] LongSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

    /// <summary>Seconds of what takes microseconds, and seldom more. The conventions begin at a millisecond, where SQLite has long answered.</summary>
    internal static readonly double[] ShortSeconds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

    /// <summary>The meter, the same one for every caller.</summary>
    public static Meter CreateSilo(this IMeterFactory meters) => meters.Create(Name);

    internal static Histogram<double> CreateSeconds(this Meter meter, string name, string description, double[] boundaries) =>
        meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = boundaries });
}
