namespace Silo.Contracts.Migration;

/// <summary>What is known of an organization's last migration, verification or rollback.</summary>
[GenerateSerializer, Immutable, Alias("silo.MigrationStatus")]
public sealed record MigrationStatus
{
    /// <summary>Whose.</summary>
    [Id(0)] public required OrganizationId Organization { get; init; }

    /// <summary>The name of this one attempt.</summary>
    [Id(1)] public required string OperationId { get; init; }

    /// <summary>What was asked for.</summary>
    [Id(2)] public required MigrationKind Kind { get; init; }

    /// <summary>How far it has come.</summary>
    [Id(3)] public required MigrationStep Step { get; init; }

    /// <summary>When it began.</summary>
    [Id(4)] public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When whoever does it last said so.</summary>
    [Id(5)] public required DateTimeOffset RenewedAt { get; init; }

    /// <summary>When it ended; null while it runs.</summary>
    [Id(6)] public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>When the organization was moved to SQLite; null when it was not, or went back.</summary>
    [Id(7)] public DateTimeOffset? FlippedAt { get; init; }

    /// <summary>When both sides were last seen to be the same.</summary>
    [Id(8)] public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>Why it failed; null when it did not.</summary>
    [Id(9)] public string? Problem { get; init; }

    /// <summary>The table that it is at; null when that is not known where it is asked.</summary>
    [Id(10)] public string? Table { get; init; }

    /// <summary>How many rows of the present step are done.</summary>
    [Id(11)] public long StepRows { get; init; }

    /// <summary>What it found; null until it found anything.</summary>
    [Id(12)] public MigrationReport? Report { get; init; }

    /// <summary>Whether it has not ended.</summary>
    public bool IsRunning => FinishedAt is null;
}

/// <summary>What an operator asks for, and how far they go.</summary>
/// <param name="Kind">What.</param>
/// <param name="DiscardNewWrites">Goes back although something was written since the move; it is exported first.</param>
[GenerateSerializer, Immutable, Alias("silo.MigrationRequest")]
public sealed record MigrationRequest([property: Id(0)] MigrationKind Kind, [property: Id(1)] bool DiscardNewWrites = false);
