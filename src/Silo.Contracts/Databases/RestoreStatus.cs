namespace Silo.Contracts.Databases;

/// <summary>How far an operator's return to a state of the past has come.</summary>
[GenerateSerializer, Immutable, Alias("silo.RestoreStatus")]
public sealed record RestoreStatus
{
    /// <summary>Whose database: the new organization, for a copy.</summary>
    [Id(0)] public required OrganizationId Organization { get; init; }

    /// <summary>Running, completed or failed.</summary>
    [Id(1)] public required RestoreState State { get; init; }

    /// <summary>Whether the state is only looked at.</summary>
    [Id(2)] public required bool DryRun { get; init; }

    /// <summary>The moment that was asked for.</summary>
    [Id(3)] public required DateTimeOffset At { get; init; }

    /// <summary>When it began.</summary>
    [Id(4)] public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended; null while it runs.</summary>
    [Id(5)] public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>When the newest object that belongs to the state was written, by the bucket's clock; null until it is found.</summary>
    [Id(6)] public DateTimeOffset? StateAt { get; init; }

    /// <summary>
    /// The epoch that the state is taken from; 0 for the older system's. Like what follows null for a copy that the same request has made before.
    /// </summary>
    [Id(7)] public long? Epoch { get; init; }

    /// <summary>The generation that the state is taken from.</summary>
    [Id(8)] public string? Generation { get; init; }

    /// <summary>How many contacts the state has.</summary>
    [Id(9)] public long? Contacts { get; init; }

    /// <summary>The epoch under which the state is the truth from now on; null until it is, and for a dry run.</summary>
    [Id(10)] public long? NewEpoch { get; init; }

    /// <summary>Why it failed; null when it did not. The truth is then what it was.</summary>
    [Id(11)] public string? Problem { get; init; }

    /// <summary>The organization that is copied; null for a return of the organization itself.</summary>
    [Id(12)] public OrganizationId? Source { get; init; }
}

/// <summary>How far a restore has come.</summary>
public enum RestoreState
{
    /// <summary>It is being found, proven, put in place.</summary>
    Running,

    /// <summary>It is done.</summary>
    Completed,

    /// <summary>It came to nothing.</summary>
    Failed,
}
