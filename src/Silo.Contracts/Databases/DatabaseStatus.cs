using Silo.Contracts.Imports;
using Silo.Contracts.Organizations;

namespace Silo.Contracts.Databases;

/// <summary>One active database as its silo sees it now.</summary>
[GenerateSerializer, Immutable, Alias("silo.DatabaseStatus")]
public sealed record DatabaseStatus
{
    /// <summary>The organization.</summary>
    [Id(0)] public required OrganizationId Organization { get; init; }

    /// <summary>The address of the silo that holds it.</summary>
    [Id(1)] public required string Silo { get; init; }

    /// <summary>What the database does now: activating, active, deactivating, or unavailable.</summary>
    [Id(2)] public required DatabaseState State { get; init; }

    /// <summary>When the activation began.</summary>
    [Id(3)] public required DateTimeOffset ActivatedAt { get; init; }

    /// <summary>Milliseconds from the first call until it could serve, by phase (catalog, lease, restore, open).</summary>
    [Id(4)] public required IReadOnlyDictionary<string, double> ActivationMs { get; init; }

    /// <summary>Process id of its Litestream; null while there is none.</summary>
    [Id(5)] public int? LitestreamPid { get; init; }

    /// <summary>How often Litestream was started again in this activation.</summary>
    [Id(6)] public int LitestreamRestarts { get; init; }

    /// <summary>Size of the database file in bytes.</summary>
    [Id(7)] public long DatabaseBytes { get; init; }

    /// <summary>Size of the WAL file in bytes.</summary>
    [Id(8)] public long WalBytes { get; init; }

    /// <summary>Age in seconds of the oldest commit that the bucket has not confirmed; 0 when it has all.</summary>
    [Id(9)] public double ReplicationLagSeconds { get; init; }

    /// <summary>WAL bytes that the bucket has not confirmed.</summary>
    [Id(10)] public long ReplicationLagBytes { get; init; }

    /// <summary>When the bucket last confirmed an upload; null when it has not yet.</summary>
    [Id(11)] public DateTimeOffset? LastUploadAt { get; init; }

    /// <summary>The head's counter of owners; null on Turso, where nobody owns the rows.</summary>
    [Id(12)] public long? Epoch { get; init; }

    /// <summary>The published generation of this epoch; null until the first snapshot is in the bucket.</summary>
    [Id(13)] public string? Generation { get; init; }

    /// <summary>When the lease ends unless it is renewed; null on Turso, where there is none.</summary>
    [Id(14)] public DateTimeOffset? LeaseExpiresAt { get; init; }

    /// <summary>Seconds since the last request.</summary>
    [Id(15)] public double IdleSeconds { get; init; }

    /// <summary>Reads served in this activation.</summary>
    [Id(16)] public long Reads { get; init; }

    /// <summary>Writes served in this activation.</summary>
    [Id(17)] public long Writes { get; init; }

    /// <summary>What is wrong, in words for an operator; null when nothing is.</summary>
    [Id(18)] public string? Problem { get; init; }

    /// <summary>Where its rows are; null until it is open.</summary>
    [Id(40)] public OrganizationDbType? DbType { get; init; }

    /// <summary>The address of its server, when they are on Turso; it holds no secret.</summary>
    [Id(41)] public string? TursoUrl { get; init; }

    /// <summary>How often Litestream was made to try again by a mark in the database.</summary>
    [Id(30)] public int LitestreamPokes { get; init; }

    /// <summary>How many of the restarts were because the bucket confirmed nothing.</summary>
    [Id(31)] public int LitestreamStalls { get; init; }

    /// <summary>How many of those had to be killed, since they did not end when asked to.</summary>
    [Id(32)] public int LitestreamKills { get; init; }

    /// <summary>How many of the restarts were because the process had ended by itself.</summary>
    [Id(33)] public int LitestreamDeaths { get; init; }

    /// <summary>How far a write comes before it is answered when its caller asks for nothing; null until it is open.</summary>
    [Id(50)] public Durability? Durability { get; init; }

    /// <summary>It is put away when <see cref="IdleSeconds"/> comes to this.</summary>
    [Id(51)] public double IdleTimeoutSeconds { get; init; }

    /// <summary>The imports that wait or run, without their errors: those are the organization's rows.</summary>
    [Id(52)] public IReadOnlyList<ImportStatus> Imports { get; init; } = [];
}

/// <summary>What an activation does.</summary>
public enum DatabaseState
{
    /// <summary>Taking the lease, restoring, opening.</summary>
    Activating,

    /// <summary>Serving.</summary>
    Active,

    /// <summary>Flushing and putting the file away.</summary>
    Deactivating,

    /// <summary>Refusing until the next attempt is due.</summary>
    Unavailable,
}
