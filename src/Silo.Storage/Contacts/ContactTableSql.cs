namespace Silo.Storage.Contacts;

/// <summary>Reads the shape of a table: one row of <see cref="Select"/> for each of its columns.</summary>
internal sealed class ContactTableSql
{
    private readonly List<TableColumn> _columns = [];
    private bool _hasRowId;

    /// <summary>The shape; null when there is no such table.</summary>
    public ContactTable? Table => _columns.Count == 0 ? null : ContactTable.Of(_columns, _hasRowId);

    /// <summary>Asks for the columns of a table or view.</summary>
    public static string Select(string table) => $"""
        SELECT t.type, t.wr, c.name, c.type, c."notnull", c.dflt_value IS NOT NULL, c.pk, c.hidden
        FROM pragma_table_list t JOIN pragma_table_xinfo('{table}') c WHERE t.schema = 'main' AND t.name = '{table}' ORDER BY c.cid
        """;

    /// <summary>Takes a row.</summary>
    /// <param name="kind">Table, view, virtual or shadow.</param>
    /// <param name="isWithoutRowId">Whether it has no row ids.</param>
    /// <param name="name">The column.</param>
    /// <param name="type">What it declares.</param>
    /// <param name="isNotNull">Whether it refuses NULL.</param>
    /// <param name="hasDefault">Whether it has a default.</param>
    /// <param name="key">Its place in the primary key.</param>
    /// <param name="hidden">0, or 1 for a hidden one of a virtual table, 2 and 3 for a generated one.</param>
    public void Add(string kind, bool isWithoutRowId, string name, string type, bool isNotNull, bool hasDefault, int key, int hidden)
    {
        _hasRowId = kind == "table" && !isWithoutRowId;
        if (hidden != 1) _columns.Add(new TableColumn(name, type, isNotNull, hasDefault, key, hidden > 1));
    }
}
