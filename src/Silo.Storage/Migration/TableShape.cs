using Microsoft.Data.Sqlite;

namespace Silo.Storage.Migration;

/// <summary>
/// How a table's rows are read, in the order of their key: the rowid, which is a cell of its own, or the primary key of a table without
/// rowids. What makes this order is an index, so nothing is sorted.
/// </summary>
internal sealed class TableShape
{
    private static readonly string[] RowIdNames = ["rowid", "_rowid_", "oid"];

    private readonly IReadOnlyList<string> _insertable;

    private TableShape(string name, IReadOnlyList<string> cells, IReadOnlyList<string> insertable, IReadOnlyList<TableKey> key) =>
        (Name, Cells, _insertable, Key) = (name, cells, insertable, key);

    /// <summary>The table's name.</summary>
    public string Name { get; }

    /// <summary>
    /// What a row consists of, as SQL: the rowid if it has one, and all columns in their order, generated ones too, so that both sides are
    /// seen to compute the same.
    /// </summary>
    public IReadOnlyList<string> Cells { get; }

    /// <summary>Whether a cell can be written; generated columns cannot.</summary>
    public bool IsInsertable(int cell) => _insertable[cell].Length > 0;

    /// <summary>What the rows are sorted by.</summary>
    public IReadOnlyList<TableKey> Key { get; }

    /// <summary>Reads rows in the order of their key.</summary>
    /// <param name="where">Which: <see cref="Between"/>, <see cref="After"/>, or empty for all.</param>
    /// <param name="table">The name that the table has there, if it is another one.</param>
    /// <param name="cells">What is read instead of <see cref="Cells"/>.</param>
    public string Select(string where = "", string? table = null, IReadOnlyList<string>? cells = null) =>
        $"SELECT {string.Join(", ", cells ?? Cells)} FROM {Quoted(table ?? Name)}{where} ORDER BY {string.Join(", ", Key.Select(part => part.Sql))}";

    /// <summary>Removes rows.</summary>
    public string Delete(string where) => $"DELETE FROM {Quoted(Name)}{where}";

    /// <summary>The rows after a key and up to another one, which is among them; without them, from the first and to the last row.</summary>
    public string Between(bool hasLow, bool hasHigh)
    {
        var values = Key.Select(_ => "?").ToList();
        return (hasLow, hasHigh) switch
        {
            (true, true) => $"{After(values)} AND {Compare("<=", values)}",
            (true, false) => After(values),
            (false, true) => $" WHERE {Compare("<=", values)}",
            _ => "",
        };
    }

    /// <summary>The rows after a key.</summary>
    /// <param name="key">Its values as SQL, in the order of <see cref="Key"/>.</param>
    public string After(IReadOnlyList<string> key) => $" WHERE {Compare(">", key)}";

    /// <summary>
    /// Adds a row. One that has a value of a unique column takes the place of the row that has it: a former state of a row that the source
    /// has changed since, which is looked at later or was removed.
    /// </summary>
    public string Insert()
    {
        var columns = _insertable.Where(column => column.Length > 0).ToList();
        return $"INSERT OR REPLACE INTO {Quoted(Name)} ({string.Join(", ", columns)}) VALUES ({string.Join(", ", columns.Select(_ => "?"))})";
    }

    /// <summary>The shape of a table.</summary>
    /// <param name="connection">A database with the same schema.</param>
    /// <param name="name">The table.</param>
    /// <returns>Null when its rows cannot be told apart: three columns hide the names of its rowid.</returns>
    public static TableShape? Read(SqliteConnection connection, string name)
    {
        var columns = new List<(string Name, bool IsGenerated, int Key)>();
        using (var command = connection.CreateCommand())
        {
            command.CommandText = "SELECT name, hidden, pk FROM pragma_table_xinfo($table) WHERE hidden <> 1 ORDER BY cid";
            command.Parameters.AddWithValue("$table", name);
            using var rows = command.ExecuteReader();
            while (rows.Read()) columns.Add((rows.GetString(0), rows.GetInt32(1) != 0, rows.GetInt32(2)));
        }
        var names = columns.Select(column => Quoted(column.Name)).ToList();
        var insertable = columns.Select(column => column.IsGenerated ? "" : Quoted(column.Name)).ToList();
        if (IsWithoutRowId(connection, name)) return new TableShape(name, names, insertable, KeyOf(connection, name, columns.ConvertAll(column => column.Name)));

        // An INTEGER PRIMARY KEY is the same number once more; both are read and written, since what is none looks nearly alike.
        var rowId = RowIdNames.FirstOrDefault(candidate => !columns.Any(column => column.Name.Equals(candidate, StringComparison.OrdinalIgnoreCase)));
        return rowId is null ? null : new TableShape(name, [rowId, .. names], [rowId, .. insertable], [new TableKey(0, rowId)]);
    }

    /// <summary>A name in SQL.</summary>
    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private string Compare(string comparison, IReadOnlyList<string> values) => Key.Count == 1
        ? $"{Key[0].Sql} {comparison} {values[0]}"
        : $"({string.Join(", ", Key.Select(part => part.Sql))}) {comparison} ({string.Join(", ", values)})";

    private static bool IsWithoutRowId(SqliteConnection connection, string name)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = $table";
        command.Parameters.AddWithValue("$table", name);
        return command.ExecuteScalar() is 1L;
    }

    /// <summary>The primary key with its own collations, which need not be those of the columns.</summary>
    private static List<TableKey> KeyOf(SqliteConnection connection, string name, List<string> columns)
    {
        using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT x.name, x.coll FROM pragma_index_list($table) l, pragma_index_xinfo(l.name) x WHERE l.origin = 'pk' AND x.key = 1 ORDER BY x.seqno
            """;
        command.Parameters.AddWithValue("$table", name);
        using var rows = command.ExecuteReader();
        var key = new List<TableKey>();
        while (rows.Read()) key.Add(new TableKey(columns.IndexOf(rows.GetString(0)), $"{Quoted(rows.GetString(0))} COLLATE {Quoted(rows.GetString(1))}"));
        return key;
    }
}

/// <summary>A part of a table's key.</summary>
/// <param name="Cell">Which cell of a row it is.</param>
/// <param name="Sql">The expression that sorts by it.</param>
internal sealed record TableKey(int Cell, string Sql);
