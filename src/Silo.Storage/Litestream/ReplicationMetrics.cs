using System.Diagnostics.Metrics;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Litestream;

/// <summary>What the Litestreams of a silo bring into the bucket, and what had to be done to make them.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class ReplicationMetrics(IMeterFactory meters)
{
    private const string Snapshots = "snapshot";
    private const string Segments = "segment";

    private readonly EventCounts _uploads = new(
        meters.CreateSilo(), "silo.replication.uploads", "{upload}", "Snapshots and pieces of WAL that the bucket has confirmed.", "kind", Snapshots, Segments);

    private readonly EventCounts _bytes = new(
        meters.CreateSilo(), "silo.replication.upload.size", "By", "Bytes of them: of WAL as it was written, of snapshots as they were compressed.", "kind", Snapshots, Segments);

    private readonly EventCounts _failures = new(meters.CreateSilo(), "silo.replication.failures", "{failure}", "Uploads of which Litestream said that they failed.");

    private readonly Histogram<double> _delays = meters.CreateSilo().CreateSeconds(
        "silo.replication.delay", "Age of the oldest commit that an upload confirmed: what a lost machine would have cost.", SiloMeter.LongSeconds);

    private readonly EventCounts _restarts = new(
        meters.CreateSilo(), "silo.litestream.restarts", "{restart}", "Litestreams that were started again, by reason.", "reason", [.. RestartReason.Codes]);

    private readonly EventCounts _pokes = new(meters.CreateSilo(), "silo.litestream.pokes", "{poke}", "Changes made only so that Litestream tries a failed upload again.");

    private readonly EventCounts _kills = new(meters.CreateSilo(), "silo.litestream.kills", "{kill}", "Litestreams that did not end when they were asked to.");

    /// <summary>The bucket has a snapshot.</summary>
    public void Snapshot(long bytes) => Uploaded(Snapshots, bytes);

    /// <summary>The bucket has a piece of WAL.</summary>
    /// <param name="bytes">Its size.</param>
    public void Segment(long bytes) => Uploaded(Segments, bytes);

    /// <summary>Commits are confirmed, if any are.</summary>
    public void Confirmed(Confirmation confirmed)
    {
        if (confirmed.Delay is { } waited) _delays.Record(waited.TotalSeconds);
    }

    /// <summary>An upload failed.</summary>
    public void Failed() => _failures.Add();

    /// <summary>A Litestream is started again.</summary>
    public void Restarted(RestartReason reason) => _restarts.Add(reason.Code);

    /// <summary>A Litestream was made to try again.</summary>
    public void Poked() => _pokes.Add();

    /// <summary>A Litestream was killed.</summary>
    public void Killed() => _kills.Add();

    private void Uploaded(string kind, long bytes)
    {
        _uploads.Add(kind);
        _bytes.Add(kind, bytes);
    }
}

/// <summary>Why a Litestream was started again.</summary>
/// <param name="Code">For metrics: one of few.</param>
/// <param name="Text">For a person, after "Litestream".</param>
internal readonly record struct RestartReason(string Code, string Text)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Codes { get; } = [.. new[] { NotStarted, Died, Gap, Stalled(default), Unwatched("") }.Select(reason => reason.Code)];

    public static RestartReason NotStarted => new("not_started", "could not be started");

    public static RestartReason Died => new("died", "ended by itself");

    public static RestartReason Gap => new("gap", "did not copy a part of the WAL");

    public static RestartReason Stalled(TimeSpan lag) => new("stalled", $"confirmed nothing for {lag.TotalSeconds:0} s");

    public static RestartReason Unwatched(string problem) => new("unwatched", $"could not be watched over: {problem}");
}
