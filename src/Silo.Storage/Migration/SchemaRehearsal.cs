using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Migration;

/// <summary>
/// The schema of a Turso database, made in memory: what SQLite does not take shows here, before anything is copied, and so does what our
/// own schema over it would look like.
/// </summary>
internal sealed class SchemaRehearsal : IDisposable
{
    private readonly SqliteConnection _connection = new("Data Source=:memory:;Pooling=False");
    private readonly SourceSchema _schema;

    public SchemaRehearsal(SourceSchema schema)
    {
        _schema = schema;
        _connection.Open();
        SchemaWriting.Prepare(_connection, schema);
        foreach (var wanted in schema.Objects.OrderBy(SchemaWriting.Order))
        {
            try
            {
                if (!wanted.IsVirtual) SchemaWriting.Make(_connection, wanted);
            }
            catch (SqliteException e)
            {
                Refused.Add((wanted, e.Message));
            }
        }
        if (Refused.Count > 0) return;
        foreach (var table in schema.Objects.Where(SchemaWriting.HasRows).OrderBy(table => table.Name == "sqlite_sequence"))
        {
            if (TableShape.Read(_connection, table.Name) is { } shape) Tables.Add(shape);
            else Refused.Add((table, "its columns hide every name of the rowid"));
        }
        foreach (var wanted in schema.Objects.Where(wanted => wanted.IsVirtual)) MakeByModule(wanted);
        if (Refused.Count == 0) SchemaWriting.MakeVirtual(_connection, schema);
    }

    /// <summary>What SQLite does not take, and why.</summary>
    public List<(SchemaObject Object, string Reason)> Refused { get; } = [];

    /// <summary>The tables that have rows, in the order in which they were made; <c>sqlite_sequence</c> last, since insertions change it.</summary>
    public List<TableShape> Tables { get; } = [];

    /// <summary>Lays our own schema over it.</summary>
    /// <returns>All of it then.</returns>
    /// <exception cref="SqliteException">It does not fit.</exception>
    /// <exception cref="SchemaException">It does not fit.</exception>
    public SourceSchema Adopt(OrganizationId organization)
    {
        SchemaWriting.LayOver(_connection, organization, _schema);
        return SchemaWriting.Read(_connection);
    }

    public void Dispose() => _connection.Dispose();

    /// <summary>
    /// Makes a virtual table elsewhere, which tells whether SQLite has its module, and takes over what the module put into its tables:
    /// without that it would not recognize them.
    /// </summary>
    private void MakeByModule(SchemaObject wanted)
    {
        using var elsewhere = SqliteLibrary.Connection(new SqliteConnectionStringBuilder { DataSource = ":memory:", Pooling = false });
        elsewhere.Open();
        try
        {
            elsewhere.Execute(wanted.Sql);
            foreach (var made in SchemaWriting.Read(elsewhere).Objects.Where(SchemaWriting.HasRows))
            {
                if (Tables.Find(table => table.Name == made.Name) is { } shape) Fill(shape, elsewhere);
            }
        }
        catch (SqliteException e)
        {
            Refused.Add((wanted, e.Message));
        }
    }

    private void Fill(TableShape shape, SqliteConnection elsewhere)
    {
        using var rows = new SqliteRow(elsewhere, shape.Select());
        using var table = new TargetTable(_connection, shape);
        var chunk = new RowChunk();
        while (rows.Step()) rows.CopyTo(chunk.Add());
        if (chunk.Count > 0) table.Take(chunk);
    }
}
