using System.Diagnostics;
using Silo.Contracts;
using Silo.Storage.Databases;

namespace Silo.Storage.Telemetry;

/// <summary>
/// The spans below the grain. One is made only inside a request that is traced: otherwise each call here looks at one field, and the
/// sampler is not asked. What a span says of an organization never becomes a label of a metric.
/// </summary>
public static class SiloActivities
{
    /// <summary>The name of the source.</summary>
    public const string Name = "Silo.Storage";

    private static readonly ActivitySource Source = new(Name);

    /// <summary>Begins a span inside the current one; null when that is not traced.</summary>
    internal static Activity? Start(string name, ActivityKind kind = ActivityKind.Internal) =>
        Activity.Current is { Recorded: true } ? Source.StartActivity(name, kind) : null;

    /// <summary>Begins the span of an operation of a database, by the semantic conventions.</summary>
    internal static Activity? StartOperation(string operation, string system = DatabaseMetrics.Sqlite) =>
        Start(operation, ActivityKind.Client)?.SetTag("db.system.name", system).SetTag("db.operation.name", operation);

    /// <summary>Begins the span of something that has to do with a whole database.</summary>
    internal static Activity? Start(string name, OrganizationId organization) => Start(name)?.SetTag("silo.organization", organization.Value);

    /// <summary>Adds a span of something that is over, inside the current one if that is traced.</summary>
    internal static void Add(string name, DateTimeOffset begun, DateTimeOffset ended)
    {
        if (Start(name) is not { } span) return;
        span.SetStartTime(begun.UtcDateTime).SetEndTime(ended.UtcDateTime);
        span.Stop();
    }

    /// <summary>
    /// Adds the spans of an upload: one in the trace of each commit that it confirmed and that was traced, from that commit until now.
    /// Many writes share one upload; each trace tells its own to the end, and links to the first one's.
    /// </summary>
    internal static void AddUpload(IReadOnlyList<TracedCommit> commits, DateTimeOffset now, string? position, long bytes)
    {
        ActivityLink[] shared = [];
        foreach (var commit in commits)
        {
            using var span = Source.StartActivity("replicate", ActivityKind.Producer, commit.Parent, links: shared, startTime: commit.At);
            if (span is null) continue;
            span.SetTag("silo.replica.position", position).SetTag("silo.upload.size", bytes).SetEndTime(now.UtcDateTime);
            if (shared.Length == 0) shared = [new ActivityLink(span.Context)];
        }
    }

    /// <summary>Says that what a span stands for came to nothing.</summary>
    internal static void Fail(this Activity? span, Exception cause) => span?.SetStatus(ActivityStatusCode.Error, cause.Message).SetTag("error.type", cause.GetType().Name);
}

/// <summary>A commit whose request is traced.</summary>
/// <param name="Commit">Its number.</param>
/// <param name="Parent">The span that made it.</param>
/// <param name="At">When.</param>
internal readonly record struct TracedCommit(long Commit, ActivityContext Parent, DateTimeOffset At);
