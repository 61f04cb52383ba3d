using System.Diagnostics.Metrics;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Databases;

/// <summary>What requests to open databases take: in SQLite, and in waiting for a reader, for their turn to write, and for the bucket.</summary>
/// <param name="meters">Makes the instruments.</param>
/// <param name="time">The clock; it is not asked when nobody listens.</param>
public sealed class DatabaseMetrics(IMeterFactory meters, TimeProvider time)
{
    /// <summary>The values of <c>db.system.name</c>.</summary>
    internal const string Sqlite = "sqlite", Turso = "libsql";

    private const string Hit = "hit", Miss = "miss";

    private static readonly KeyValuePair<string, object?> SqliteLabel = new("db.system.name", Sqlite);
    private static readonly KeyValuePair<string, object?> TursoLabel = new("db.system.name", Turso);
    private static readonly KeyValuePair<string, object?> Pool = new("db.client.connection.pool.name", "contact-readers");

    private readonly Histogram<double> _operations = meters.CreateSilo().CreateSeconds(
        "db.client.operation.duration", "Time in SQLite, the commit of a change included, or until Turso has answered.", SiloMeter.ShortSeconds);

    private readonly Histogram<double> _readerWaits = meters.CreateSilo().CreateSeconds(
        "db.client.connection.wait_time", "Until a read had one of its database's connections, of those that had to wait.", SiloMeter.ShortSeconds);

    private readonly Histogram<double> _writeWaits = meters.CreateSilo().CreateSeconds(
        "silo.write.wait.duration", "From a write's arrival until it is its turn: other writes, the bucket that is behind, a checkpoint.", SiloMeter.ShortSeconds);

    private readonly Histogram<double> _durabilityWaits = meters.CreateSilo().CreateSeconds(
        "silo.durability.wait.duration", "From a commit until the bucket has it and the head is still ours, of writes that ask for it.", SiloMeter.LongSeconds);

    private readonly Histogram<double> _flushes = meters.CreateSilo().CreateSeconds(
        "silo.flush.duration", "Until the bucket has confirmed everything of a database that is to be put away.", SiloMeter.LongSeconds);

    private readonly EventCounts _lookups = new(
        meters.CreateSilo(), "silo.cache.lookups", "{lookup}", "Reads that were answered from what was kept of earlier ones, and those that SQLite answered.", "outcome", Hit, Miss);

    private readonly EventCounts _failedFlushes = new(
        meters.CreateSilo(), "silo.flush.failures", "{flush}", "Flushes that the bucket did not confirm in time; the database stays active, or its file stays.");

    /// <summary>When something begins; 0 when nobody listens.</summary>
    internal long Begin() => _operations.Enabled ? time.GetTimestamp() : 0;

    /// <summary>The database has answered.</summary>
    internal void Ran(DatabaseOperation operation, long since, string system = Sqlite)
    {
        if (since != 0) _operations.Record(Seconds(since), system == Sqlite ? SqliteLabel : TursoLabel, operation.Label);
    }

    /// <summary>A read was looked up among what was kept.</summary>
    internal void LookedUp(bool isKept) => _lookups.Add(isKept ? Hit : Miss);

    /// <summary>A read has its connection, after it has waited.</summary>
    internal void Lent(long since)
    {
        if (since != 0) _readerWaits.Record(Seconds(since), Pool);
    }

    /// <summary>It is a write's turn.</summary>
    internal void Entered(long since)
    {
        if (since != 0) _writeWaits.Record(Seconds(since));
    }

    /// <summary>A write no longer waits for the bucket.</summary>
    internal void Replicated(long since, string outcome)
    {
        if (since != 0) _durabilityWaits.Record(Seconds(since), new KeyValuePair<string, object?>("outcome", outcome));
    }

    /// <summary>A flush has ended.</summary>
    internal void Flushed(long since, bool isConfirmed)
    {
        if (!isConfirmed) _failedFlushes.Add();
        if (since != 0) _flushes.Record(Seconds(since), new KeyValuePair<string, object?>("outcome", isConfirmed ? "confirmed" : "failed"));
    }

    private double Seconds(long since) => time.GetElapsedTime(since).TotalSeconds;
}
