using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Migration;

/// <summary>Makes the objects of a schema in a SQLite database, letter by letter as they were.</summary>
internal static class SchemaWriting
{
    /// <summary>The name that the older system's contacts have once our schema is laid over a copy.</summary>
    public const string KeptContacts = LegacyContacts.Kept;

    /// <summary>The name that the audit trail of Turso has then; its rows are in ours too.</summary>
    public const string KeptAudit = "silo_audit_before_migration";

    /// <summary>What this system makes in a database on Turso.</summary>
    public const string Audit = "silo_audit";

    private const string AuditIndex = "silo_audit_subject";

    private static readonly string[] AuditTriggers = ["silo_audit_update", "silo_audit_delete"];

    /// <summary>The tables that SQLite makes by itself.</summary>
    private const string Sequence = "sqlite_sequence", Statistics = "sqlite_stat1";

    /// <summary>Whether an object's rows are copied: those of all tables, also the ones in which a virtual table keeps its own.</summary>
    public static bool HasRows(SchemaObject candidate) => candidate.Type == "table" && !candidate.IsVirtual;

    /// <summary>What is made first: tables, then indexes, then what fires or reads.</summary>
    public static int Order(SchemaObject wanted) => wanted.Type switch { "table" => 0, "index" => 1, "view" => 2, _ => 3 };

    /// <summary>Makes the tables that only SQLite may make.</summary>
    public static void Prepare(SqliteConnection connection, SourceSchema schema)
    {
        if (schema.Objects.Any(wanted => wanted.Name == Sequence)) connection.Execute("CREATE TABLE silo_sequence (n INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE silo_sequence;");
        if (schema.Objects.Any(wanted => wanted.Name == Statistics)) connection.Execute("ANALYZE sqlite_schema");
    }

    /// <summary>Makes an object that is not virtual.</summary>
    public static void Make(SqliteConnection connection, SchemaObject wanted)
    {
        if (wanted.Name is not (Sequence or Statistics)) connection.Execute(wanted.Sql);
    }

    /// <summary>
    /// Makes the virtual tables without asking their modules, which would make tables of their own beside the ones that were copied. So
    /// does the dump of SQLite's shell.
    /// </summary>
    public static void MakeVirtual(SqliteConnection connection, SourceSchema schema)
    {
        var wanted = schema.Objects.Where(wanted => wanted.IsVirtual).ToList();
        if (wanted.Count == 0) return;
        connection.Execute("PRAGMA writable_schema = ON");
        foreach (var table in wanted)
        {
            connection.Execute("DELETE FROM sqlite_schema WHERE type = 'table' AND name = $name", ("$name", table.Name));
            connection.Execute(
                "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', $name, $table, 0, $sql)",
                ("$name", table.Name), ("$table", table.Table), ("$sql", table.Sql));
        }
        connection.Execute("PRAGMA writable_schema = RESET");
    }

    /// <summary>
    /// Lays our own schema over a copy, as over a file of the older system. What a database on Turso has of it already (its audit trail,
    /// the indexes of contacts that were added here) gives way and is taken over. The source's version goes elsewhere, since ours is kept
    /// in its place.
    /// </summary>
    public static void LayOver(SqliteConnection connection, OrganizationId organization, SourceSchema schema)
    {
        foreach (var index in OrgSchema.ContactIndexes) connection.Execute($"DROP INDEX IF EXISTS {index.Name}");
        var hasAudit = schema.Objects.Any(found => found is { Type: "table", Name: Audit });
        if (hasAudit)
        {
            foreach (var trigger in AuditTriggers) connection.Execute($"DROP TRIGGER IF EXISTS {trigger}");
            connection.Execute($"DROP INDEX IF EXISTS {AuditIndex}; ALTER TABLE {Audit} RENAME TO {KeptAudit}");
        }
        connection.Execute("PRAGMA user_version = 0");
        OrgSchema.Migrate(connection, organization);
        if (hasAudit) connection.Execute($"INSERT INTO {Audit} SELECT * FROM {KeptAudit}");
        connection.Execute("INSERT INTO silo_meta (key, value) VALUES ('source_user_version', $version)", ("$version", $"{schema.UserVersion}"));
    }

    /// <summary>Whether a name is one that tables are kept under here. Other names of ours are found by laying our schema over it.</summary>
    public static bool IsReserved(string name) => name is KeptContacts or KeptAudit;

    /// <summary>Reads the schema of a SQLite database.</summary>
    public static SourceSchema Read(SqliteConnection connection)
    {
        var objects = new List<SchemaObject>();
        using var command = connection.CreateCommand();
        command.CommandText = SourceSchema.SelectObjects;
        using var rows = command.ExecuteReader();
        while (rows.Read()) objects.Add(SourceSchema.Object(rows.GetString(0), rows.GetString(1), rows.GetString(2), rows.IsDBNull(3) ? 0 : rows.GetInt64(3), rows.GetString(4)));
        return new SourceSchema(objects, connection.Scalar<long>("PRAGMA user_version"), connection.Scalar<long>("PRAGMA application_id"));
    }
}
