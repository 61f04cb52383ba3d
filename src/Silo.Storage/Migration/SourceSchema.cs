using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>An entry of <c>sqlite_schema</c>.</summary>
/// <param name="Type"><c>table</c>, <c>index</c>, <c>view</c> or <c>trigger</c>.</param>
/// <param name="Name">Its name.</param>
/// <param name="Table">The table that it is about.</param>
/// <param name="Sql">The statement that makes it, as SQLite keeps it.</param>
/// <param name="IsVirtual">Whether it is a virtual table, which has no rows of its own.</param>
internal sealed record SchemaObject(string Type, string Name, string Table, string Sql, bool IsVirtual)
{
    /// <summary>What to call it in a sentence.</summary>
    public string Title => $"{Type} {Name}";
}

/// <summary>
/// The schema of a database: its objects in the order in which they were made, and the numbers that an application keeps in its header.
/// Left out is what SQLite makes by itself (the indexes of constraints, <c>sqlite_stat4</c>), and the two tables of Litestream's own.
/// </summary>
internal sealed record SourceSchema(IReadOnlyList<SchemaObject> Objects, long UserVersion, long ApplicationId)
{
    /// <summary>Reads the objects of <c>sqlite_schema</c>: type, name, tbl_name, rootpage, sql.</summary>
    public const string SelectObjects = """
        SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND tbl_name NOT IN ('_litestream_seq', '_litestream_lock', 'sqlite_stat4') ORDER BY rowid
        """;

    /// <summary>Reads the schema of a database on Turso.</summary>
    public static async Task<SourceSchema> ReadAsync(TursoDatabase source, CancellationToken cancellationToken)
    {
        var objects = new List<SchemaObject>();
        await using (var rows = await source.OpenCursorAsync(new TursoStatement(SelectObjects), cancellationToken))
        {
            await foreach (var row in rows.ReadAllAsync(cancellationToken))
                objects.Add(Object(row[0].AsText(), row[1].AsText(), row[2].AsText(), row[3].IsNull ? 0 : row[3].AsInteger(), row[4].AsText()));
        }
        return new SourceSchema(objects, await NumberAsync("user_version"), await NumberAsync("application_id"));

        async Task<long> NumberAsync(string pragma) =>
            (await source.QueryAsync(new TursoStatement($"PRAGMA {pragma}"), cancellationToken)).Rows.Single().Single().AsInteger();
    }

    /// <summary>An entry as it was read.</summary>
    public static SchemaObject Object(string type, string name, string table, long rootPage, string sql) =>
        new(type, name, table, sql, IsVirtual: type == "table" && rootPage == 0);

    /// <summary>What two schemas do not have in common, a sentence each.</summary>
    public IEnumerable<string> DifferencesTo(SourceSchema copy)
    {
        var there = copy.Objects.ToDictionary(other => (other.Type, other.Name));
        foreach (var wanted in Objects)
        {
            if (!there.Remove((wanted.Type, wanted.Name), out var found)) yield return $"{wanted.Title} is missing";
            else if (found.Sql != wanted.Sql || found.Table != wanted.Table || found.IsVirtual != wanted.IsVirtual) yield return $"{wanted.Title} is defined differently";
        }
        foreach (var more in there.Values) yield return $"{more.Title} is not in the Turso database";
        if (UserVersion != copy.UserVersion) yield return $"user_version is {copy.UserVersion}, not {UserVersion}";
        if (ApplicationId != copy.ApplicationId) yield return $"application_id is {copy.ApplicationId}, not {ApplicationId}";
    }

    /// <summary>Whether both are the same.</summary>
    public bool IsSameAs(SourceSchema other) => !DifferencesTo(other).Any();
}
