using System.Diagnostics.Metrics;
using System.Globalization;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Telemetry;

namespace Silo.Cluster.Databases;

/// <summary>
/// What a silo holds, looked at when somebody asks: numbers of databases, and of them the worst and the sum, never one by one.
/// </summary>
internal sealed class ActiveDatabaseMetrics
{
    private static readonly KeyValuePair<string, object?>[] States =
        [.. Enum.GetValues<DatabaseState>().Select(state => new KeyValuePair<string, object?>("state", state.ToString().ToLowerInvariant()))];

    private readonly ActiveDatabases _active;

    public ActiveDatabaseMetrics(IMeterFactory meters, ActiveDatabases active)
    {
        _active = active;
        var meter = meters.CreateSilo();
        meter.CreateObservableUpDownCounter("silo.database.count", CountByState, "{database}", "Databases by what they do.");
        meter.CreateObservableUpDownCounter(
            "silo.database.problems", () => _active.All.Count(activation => HasProblem(activation.Database)), "{database}",
            "Open databases with something wrong, as the admin API says in words.");
        meter.CreateObservableCounter("silo.database.shed", () => _active.ShedCount, "{database}", "Databases that were put away to make room for others.");
        meter.CreateObservableGauge(
            "silo.replication.lag", () => Open.Select(database => database.Lag.TotalSeconds).DefaultIfEmpty().Max(), "s", "Age of the oldest commit that the bucket has not confirmed.");
        meter.CreateObservableUpDownCounter("silo.replication.backlog", () => Open.Sum(database => database.LagBytes), "By", "WAL that the bucket has not confirmed.");
        meter.CreateObservableGauge("silo.lease.remaining", LeastLease, "s", "Until the first lease would run out, were none renewed; 0 when one has. Absent without databases.");
        meter.CreateObservableUpDownCounter("silo.litestream.count", () => Open.Count(database => database.LitestreamPid is not null), "{process}", "Litestreams that run.");
        meter.CreateObservableUpDownCounter(
            "silo.litestream.memory", () => Open.Sum(database => database.LitestreamPid is { } pid ? ResidentBytes(pid) : 0), "By", "Their resident memory; what they share is counted for each.");
    }

    /// <summary>Those whose rows are here, so that there is something to replicate.</summary>
    private IEnumerable<OrgDatabase> Open => _active.All.Select(activation => activation.Database).OfType<OrgDatabase>();

    // What a file's status says besides is its sizes, which the disk would be asked for.
    private static bool HasProblem(IOrgDatabase? database) => (database is OrgDatabase file ? file.Problem : database?.Status().Problem) is not null;

    private IEnumerable<Measurement<int>> CountByState()
    {
        var counts = new int[States.Length];
        foreach (var activation in _active.All) counts[(int)activation.State]++;
        return counts.Select((count, state) => new Measurement<int>(count, States[state]));
    }

    private IEnumerable<Measurement<double>> LeastLease()
    {
        var left = Open.Where(database => !database.IsMoved).Select(database => database.LeaseLeft.TotalSeconds).DefaultIfEmpty(double.NaN).Min();
        return double.IsNaN(left) ? [] : [new Measurement<double>(left)];
    }

    /// <summary>The second field of <c>/proc/[pid]/statm</c> (proc(5)), which costs the kernel nothing to know.</summary>
    private static long ResidentBytes(int pid)
    {
        try
        {
            return long.Parse(File.ReadAllText($"/proc/{pid}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
        }
        catch (IOException)
        {
            return 0; // it has just ended
        }
    }
}
