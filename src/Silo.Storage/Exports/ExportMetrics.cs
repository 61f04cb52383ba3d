using System.Diagnostics.Metrics;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Exports;

/// <summary>What came of exports, and how many have a file here now.</summary>
internal sealed class ExportMetrics
{
    private readonly EventCounts _exports;

    /// <summary>Makes the instruments.</summary>
    /// <param name="meters">Makes the instruments.</param>
    /// <param name="count">How many there are now.</param>
    public ExportMetrics(IMeterFactory meters, Func<int> count)
    {
        var meter = meters.CreateSilo();
        _exports = new EventCounts(meter, "silo.exports", "{export}", "Exports by whether their copy was made, given up, or refused at once because of the silo's bounds.", "outcome", "made", "failed", "refused");
        meter.CreateObservableUpDownCounter("silo.export.count", count, "{export}", "Exports that are made or fetched now, each with a file.");
    }

    /// <summary>A copy is whole, or never will be.</summary>
    public void Ended(bool isMade) => _exports.Add(isMade ? "made" : "failed");

    /// <summary>There was no room for it.</summary>
    public void Refused() => _exports.Add("refused");
}
