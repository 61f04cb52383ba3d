namespace Silo.Contracts.Migration;

/// <summary>What a migration found.</summary>
[GenerateSerializer, Immutable, Alias("silo.MigrationReport")]
public sealed record MigrationReport
{
    /// <summary>The address of the Turso database; it holds no secret.</summary>
    [Id(0)] public string? Source { get; init; }

    /// <summary>Size of the Turso database in bytes.</summary>
    [Id(1)] public long Bytes { get; init; }

    /// <summary>Its tables, and since they were compared, whether they are the same on both sides.</summary>
    [Id(2)] public IReadOnlyList<MigratedTable> Tables { get; init; } = [];

    /// <summary>How many tables, indexes, views and triggers it has.</summary>
    [Id(3)] public int Objects { get; init; }

    /// <summary>What stands in the way, or is not the same on both sides: a sentence each.</summary>
    [Id(4)] public IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>What is worth knowing and stands in nobody's way.</summary>
    [Id(5)] public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>For how many seconds the organization was copied while it was written to.</summary>
    [Id(6)] public double CopySeconds { get; init; }

    /// <summary>For how many seconds writes were refused.</summary>
    [Id(7)] public double FrozenSeconds { get; init; }

    /// <summary>What was written on SQLite since the move; of a rollback only.</summary>
    [Id(8)] public WritesSinceMove? WritesSinceMove { get; init; }

    /// <summary>How many rows all tables have on Turso.</summary>
    public long Rows => Tables.Sum(table => table.Rows);
}

/// <summary>A table of the Turso database.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rows">How many rows it has on Turso.</param>
/// <param name="Sha256">The hash of its rows there, in their canonical form and order; null when it was not compared.</param>
/// <param name="IsSame">Whether the copy has the same number and hash; null when it was not compared.</param>
[GenerateSerializer, Immutable, Alias("silo.MigratedTable")]
public sealed record MigratedTable(
    [property: Id(0)] string Name, [property: Id(1)] long Rows, [property: Id(2)] string? Sha256 = null, [property: Id(3)] bool? IsSame = null);

/// <summary>What a rollback would leave behind.</summary>
/// <param name="Added">Contacts that were added.</param>
/// <param name="Changed">Contacts that were changed.</param>
/// <param name="Removed">Contacts that were removed.</param>
/// <param name="AuditEntries">Entries of the audit trail.</param>
/// <param name="Object">The object of the bucket that has the whole SQLite database; null when nothing was written.</param>
[GenerateSerializer, Immutable, Alias("silo.WritesSinceMove")]
public sealed record WritesSinceMove(
    [property: Id(0)] long Added, [property: Id(1)] long Changed, [property: Id(2)] long Removed, [property: Id(3)] long AuditEntries, [property: Id(4)] string? Object = null)
{
    /// <summary>Whether there is any.</summary>
    public bool Any => Added + Changed + Removed + AuditEntries > 0;
}
