namespace Silo.Contracts.Imports;

/// <summary>How far an import has come (API.md, "Bulk import"). Counts are of rows, unless they say otherwise.</summary>
[GenerateSerializer, Immutable, Alias("silo.ImportStatus")]
public sealed record ImportStatus
{
    /// <summary>The most rows that <see cref="Errors"/> lists.</summary>
    public const int MaxErrors = 100;

    /// <summary>The import's UUID.</summary>
    [Id(0)] public required string Id { get; init; }

    /// <summary>Queued, running, completed or failed.</summary>
    [Id(1)] public required ImportState State { get; init; }

    /// <summary>What is being done while it runs.</summary>
    [Id(2)] public ImportPhase? Phase { get; init; }

    /// <summary>Bytes received.</summary>
    [Id(3)] public long Received { get; init; }

    /// <summary>Rows that were read so far.</summary>
    [Id(4)] public long Processed { get; init; }

    /// <summary>Rows that the file has; null until all are read.</summary>
    [Id(5)] public long? Total { get; init; }

    /// <summary>Contacts that were added.</summary>
    [Id(6)] public long Imported { get; init; }

    /// <summary>Contacts that were there and were overwritten.</summary>
    [Id(7)] public long Updated { get; init; }

    /// <summary>Rows whose contact was there, or came in another row of the file too.</summary>
    [Id(8)] public long Skipped { get; init; }

    /// <summary>Rows that break a rule.</summary>
    [Id(9)] public long Failed { get; init; }

    /// <summary>The first of those, and what made the whole import fail, if it did.</summary>
    [Id(10)] public IReadOnlyList<ImportError> Errors { get; init; } = [];

    /// <summary>Columns of the file that contacts do not have; their values were not taken in.</summary>
    [Id(11)] public IReadOnlyList<string> UnknownColumns { get; init; } = [];

    /// <summary>Rows a second, on average from its start.</summary>
    [Id(12)] public double RowsPerSecond { get; init; }

    /// <summary>When its file began to arrive.</summary>
    [Id(13)] public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When its rows were in the organization's database, not yet in the bucket; null before, and if it failed.</summary>
    [Id(14)] public DateTimeOffset? MergedAt { get; init; }

    /// <summary>When it ended; null before. Of one that was completed by a former activation it is known only when it was merged.</summary>
    [Id(15)] public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Whether the bucket has what it changed.</summary>
    [Id(16)] public bool Durable { get; init; }

    /// <summary>
    /// In how many transactions its rows came in: 1 is all or nothing. On Turso a large file takes several, one after the other: others see
    /// its first rows before its last ones, and what interrupts it is gone on with; if the database refuses one of them, those before stay,
    /// and the counts tell of them. Null before, and if it failed.
    /// </summary>
    [Id(17)] public int? Transactions { get; init; }

    /// <summary>Whether it has ended.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsOver => State is ImportState.Completed or ImportState.Failed;
}

/// <summary>What is wrong with a row, or with the whole file.</summary>
/// <param name="Row">
/// As a person counts them: in CSV records from 1, the header being the first; in JSON elements from 1; in NDJSON lines from 1. 0 when it is
/// not about a row.
/// </param>
/// <param name="Code">Stable, in snake_case.</param>
/// <param name="Message">One sentence.</param>
[GenerateSerializer, Immutable, Alias("silo.ImportError")]
public readonly record struct ImportError([property: Id(0)] long Row, [property: Id(1)] string Code, [property: Id(2)] string Message);

/// <summary>Where an import is between its acceptance and its end.</summary>
public enum ImportState
{
    /// <summary>It waits for another one of the organization.</summary>
    Queued,

    /// <summary>It is being read, merged, or uploaded.</summary>
    Running,

    /// <summary>All its rows are in the bucket.</summary>
    Completed,

    /// <summary>It changed nothing.</summary>
    Failed,
}

/// <summary>What a running import does.</summary>
public enum ImportPhase
{
    /// <summary>Rows are read and validated beside the database.</summary>
    Reading,

    /// <summary>They go into the database in one transaction.</summary>
    Merging,

    /// <summary>The bucket is waited for.</summary>
    Replicating,
}
