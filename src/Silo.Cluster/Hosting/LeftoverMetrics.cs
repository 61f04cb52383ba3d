using System.Diagnostics.Metrics;
using Silo.Storage.Databases;
using Silo.Storage.Telemetry;

namespace Silo.Cluster.Hosting;

/// <summary>How many files of before this start there are, whose rows the bucket may not have.</summary>
internal sealed class LeftoverMetrics
{
    private int _left;

    public LeftoverMetrics(IMeterFactory meters, string dataDirectory)
    {
        var meter = meters.CreateSilo();
        meter.CreateObservableUpDownCounter("silo.database.leftovers", () => Left, "{database}", "Databases of before this start whose files on this machine are not taken care of yet.");
        meter.CreateObservableUpDownCounter(
            "silo.database.set_aside", () => OrgFiles.CountSetAside(dataDirectory), "{database}", "Files that are kept for an operator to look at, since the truth went on without them.");
    }

    /// <summary>How many are not taken care of yet.</summary>
    public int Left
    {
        get => Volatile.Read(ref _left);
        set => Volatile.Write(ref _left, value);
    }
}
