using System.Diagnostics.Metrics;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Litestream;

/// <summary>What the Litestreams of a silo bring into the bucket, and what had to be done to make them.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class ReplicationMetrics(IMeterFactory meters)
{
    private static readonly KeyValuePair<string, object?> SnapshotKind = new("kind", "snapshot");
    private static readonly KeyValuePair<string, object?> SegmentKind = new("kind", "segment");

    private readonly Counter<long> _uploads = meters.CreateSilo().CreateCounter<long>(
        "silo.replication.uploads", "{upload}", "Snapshots and pieces of WAL that the bucket has confirmed.");

    private readonly Counter<long> _bytes = meters.CreateSilo().CreateCounter<long>(
        "silo.replication.upload.size", "By", "Bytes of them: of WAL as it was written, of snapshots as they were compressed.");

    private readonly Counter<long> _failures = meters.CreateSilo().CreateCounter<long>(
        "silo.replication.failures", "{failure}", "Uploads that Litestream said have failed.");

    private readonly Histogram<double> _delays = meters.CreateSilo().CreateSeconds(
        "silo.replication.delay", "Age of the oldest commit that an upload confirmed: what a lost machine would have cost.", SiloMeter.LongSeconds);

    private readonly Counter<long> _restarts = meters.CreateSilo().CreateCounter<long>(
        "silo.litestream.restarts", "{restart}", "Litestreams that were started again, by reason.");

    private readonly Counter<long> _pokes = meters.CreateSilo().CreateCounter<long>(
        "silo.litestream.pokes", "{poke}", "Changes made only so that Litestream tries a failed upload again.");

    private readonly Counter<long> _kills = meters.CreateSilo().CreateCounter<long>(
        "silo.litestream.kills", "{kill}", "Litestreams that did not end when they were asked to.");

    /// <summary>The bucket has a snapshot.</summary>
    public void Snapshot(long bytes) => Uploaded(bytes, SnapshotKind);

    /// <summary>The bucket has a piece of WAL.</summary>
    /// <param name="bytes">Its size.</param>
    /// <param name="delay">How long the oldest commit that it confirmed had waited; null when it confirmed none.</param>
    public void Segment(long bytes, TimeSpan? delay)
    {
        Uploaded(bytes, SegmentKind);
        Confirmed(delay);
    }

    /// <summary>Commits are confirmed; null when none are.</summary>
    public void Confirmed(TimeSpan? delay)
    {
        if (delay is { } waited) _delays.Record(waited.TotalSeconds);
    }

    /// <summary>An upload failed.</summary>
    public void Failed() => _failures.Add(1);

    /// <summary>A Litestream is started again.</summary>
    public void Restarted(RestartReason reason) => _restarts.Add(1, new KeyValuePair<string, object?>("reason", reason.Code));

    /// <summary>A Litestream was made to try again.</summary>
    public void Poked() => _pokes.Add(1);

    /// <summary>A Litestream was killed.</summary>
    public void Killed() => _kills.Add(1);

    private void Uploaded(long bytes, KeyValuePair<string, object?> kind)
    {
        _uploads.Add(1, kind);
        _bytes.Add(bytes, kind);
    }
}

/// <summary>Why a Litestream was started again.</summary>
/// <param name="Code">For metrics: one of few.</param>
/// <param name="Text">For a person, after "Litestream".</param>
internal readonly record struct RestartReason(string Code, string Text)
{
    public static RestartReason NotStarted => new("not_started", "could not be started");

    public static RestartReason Died => new("died", "ended by itself");

    public static RestartReason Gap => new("gap", "did not copy a part of the WAL");

    public static RestartReason Stalled(TimeSpan lag) => new("stalled", $"confirmed nothing for {lag.TotalSeconds:0} s");

    public static RestartReason Unwatched(string problem) => new("unwatched", $"could not be watched over: {problem}");
}
