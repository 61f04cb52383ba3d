namespace Silo.Contracts.Migration;

/// <summary>How far a fleet has come, and a page of its migrations by the organization's id.</summary>
/// <param name="Turso">How many organizations live on Turso.</param>
/// <param name="Sqlite">How many live in SQLite.</param>
/// <param name="Moved">How many of those were migrated.</param>
/// <param name="Running">How many migrations, verifications and rollbacks run.</param>
/// <param name="Failed">How many of the last ones failed.</param>
/// <param name="Items">The last one of each organization that had one.</param>
/// <param name="NextCursor">Where the next page begins; null after the last.</param>
[GenerateSerializer, Immutable, Alias("silo.FleetReport")]
public sealed record FleetReport(
    [property: Id(0)] long Turso, [property: Id(1)] long Sqlite, [property: Id(2)] long Moved, [property: Id(3)] long Running, [property: Id(4)] long Failed,
    [property: Id(5)] IReadOnlyList<MigrationStatus> Items, [property: Id(6)] string? NextCursor);
