using System.Diagnostics.CodeAnalysis;

namespace Silo.Storage.Contacts;

/// <summary>A column as <c>PRAGMA table_xinfo</c> tells of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">The declared type; empty when there is none.</param>
/// <param name="IsNotNull">Whether it refuses NULL.</param>
/// <param name="HasDefault">Whether it has a default.</param>
/// <param name="KeyIndex">Its place in the primary key from 1; 0 when it is not in it.</param>
/// <param name="IsGenerated">Whether its value is computed, so that none can be written.</param>
internal sealed record TableColumn(string Name, string Type, bool IsNotNull, bool HasDefault, int KeyIndex, bool IsGenerated);

/// <summary>
/// The shape of a <c>contacts</c> table: our own, or one that the older system made, whose columns are found by
/// <see cref="LegacyContactNames"/>. It gives the SQL expression of each field, so that the statements (<see cref="ContactSql"/>) are the same.
/// </summary>
internal sealed class ContactTable
{
    /// <summary>The fields of a contact, by the names of our own columns.</summary>
    public static readonly IReadOnlyList<string> Fields = ["id", "name", "email", "phone", "company", "agent_id", "created_at", "updated_at", "notes"];

    /// <summary>The column that is added for our ids where the older table's own cannot hold them.</summary>
    public const string AddedId = "silo_id";

    /// <summary>When a contact was made of which that is not known.</summary>
    private const string UnknownTime = "'1970-01-01T00:00:00.000Z'";

    private readonly Dictionary<string, TableColumn> _columns; // field to column

    /// <summary>The table of our own schema (<see cref="Sqlite.OrgSchema"/>).</summary>
    public static readonly ContactTable Own = new();

    private ContactTable()
    {
        _columns = Fields.ToDictionary(field => field, field => new TableColumn(field, "TEXT", false, false, 0, false), StringComparer.Ordinal);
        IsOwn = true;
        Order = "seq";
        Required = [];
    }

    private ContactTable(IReadOnlyList<TableColumn> columns, bool hasRowId, LegacyContactNames names)
    {
        var byName = columns.ToDictionary(column => column.Name, StringComparer.OrdinalIgnoreCase);
        var all = byName.Keys.ToHashSet(StringComparer.OrdinalIgnoreCase);
        _columns = Fields.Select(field => (field, column: names.ColumnOf(field, all))).Where(found => found.column is not null)
            .ToDictionary(found => found.field, found => byName[found.column!], StringComparer.Ordinal);

        // A row id that no column is named like (SQLite knows three names of it).
        RowId = hasRowId ? ((string[])["rowid", "_rowid_", "oid"]).FirstOrDefault(name => !all.Contains(name)) : null;
        HasAddedId = all.Contains(AddedId);
        // INTEGER PRIMARY KEY is the row id itself and holds nothing but numbers (sqlite.org/lang_createtable, "ROWIDs and the INTEGER PRIMARY KEY").
        var isIdTheRowId = hasRowId && _columns.TryGetValue("id", out var id) && id.KeyIndex == 1 && id.Type.Equals("INTEGER", StringComparison.OrdinalIgnoreCase)
            && columns.Count(column => column.KeyIndex > 0) == 1;
        if (isIdTheRowId) RowId ??= Quote(_columns["id"].Name);
        NeedsAddedId = isIdTheRowId || !_columns.ContainsKey("id");
        Order = RowId ?? $"({Of("created_at")} || ' ' || {Of("id")})";
        IsOrderText = RowId is null;
        Required = [.. columns.Where(column => column is { IsNotNull: true, HasDefault: false, IsGenerated: false } && !_columns.ContainsValue(column)
            && !(hasRowId && column.KeyIndex == 1 && column.Type.Equals("INTEGER", StringComparison.OrdinalIgnoreCase)))];
    }

    /// <summary>The shape of a table that is there. The older system's is never dropped, and no column of it dropped or renamed.</summary>
    /// <param name="columns">Its columns.</param>
    /// <param name="hasRowId">False for <c>WITHOUT ROWID</c>.</param>
    public static ContactTable Of(IReadOnlyList<TableColumn> columns, bool hasRowId) =>
        columns.Any(column => column.Name == "seq" && column.KeyIndex == 1) && columns.Any(column => column.Name == "email_key") && columns.Any(column => column.Name == "phone_key")
            ? Own
            : new ContactTable(columns, hasRowId, LegacyContactNames.Current);

    /// <summary>Whether it is of our own schema, whose unique indexes hold the rules.</summary>
    public bool IsOwn { get; }

    /// <summary>
    /// What contacts are sorted by, ascending in the order in which they were added: <c>seq</c>, the row id, or where there is none the time
    /// and the id as one text. A cursor is a value of it.
    /// </summary>
    public string Order { get; }

    /// <summary>Whether <see cref="Order"/> is a text and no integer.</summary>
    public bool IsOrderText { get; }

    /// <summary>Columns that must be given a value and are no field of a contact.</summary>
    public IReadOnlyList<TableColumn> Required { get; }

    /// <summary>Whether ids of ours need a column that is added for them.</summary>
    public bool NeedsAddedId { get; }

    /// <summary>Whether that column is there.</summary>
    public bool HasAddedId { get; }

    private string? RowId { get; }

    /// <summary>The column that holds a field.</summary>
    public bool TryGetColumn(string field, [NotNullWhen(true)] out TableColumn? column) => _columns.TryGetValue(field, out column);

    /// <summary>What a field is read by. In the older table a text may be empty for "none", or no text at all.</summary>
    public string Of(string field)
    {
        if (IsOwn) return field;
        if (field == "id" && NeedsAddedId)
        {
            var number = $"CAST({RowId} AS TEXT)";
            return HasAddedId ? $"coalesce({AddedId}, {number})" : number;
        }
        var column = _columns.TryGetValue(field, out var found) ? Quote(found.Name) : null;
        return field switch
        {
            "created_at" => Time(column),
            "updated_at" => column is null ? Time(_columns.TryGetValue("created_at", out var created) ? Quote(created.Name) : null) : Time(column),
            _ when column is null => field == "name" ? "''" : "NULL",
            "id" => $"CAST({column} AS TEXT)",
            "name" => $"coalesce(CAST({column} AS TEXT), '')",
            _ => $"nullif(CAST({column} AS TEXT), '')",
        };
    }

    /// <summary>Finds the contact of the id in <c>$id</c>, by an index where there is one.</summary>
    public string IsId => IsOwn ? "id = $id"
        : !NeedsAddedId ? $"{Quote(_columns["id"].Name)} = $id"
        : HasAddedId ? $"({AddedId} = $id OR ({AddedId} IS NULL AND {RowId} = $id))"
        : $"{RowId} = $id";

    /// <summary>The column that a new contact's id goes into.</summary>
    public string IdColumn => NeedsAddedId ? AddedId : Quote(IsOwn ? "id" : _columns["id"].Name);

    /// <summary>A name as SQL takes any.</summary>
    public static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>A time as RFC 3339 has it, from what the older system may have written; one that is written so already is left as it is.</summary>
    private static string Time(string? column) => column is null ? UnknownTime : $"""
        coalesce(CASE WHEN typeof({column}) IN ('integer', 'real')
          THEN strftime('%Y-%m-%dT%H:%M:%fZ', CASE WHEN abs({column}) >= 100000000000 THEN {column} / 1000.0 ELSE {column} END, 'unixepoch')
          WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*Z' THEN {column}
          ELSE strftime('%Y-%m-%dT%H:%M:%fZ', {column}) END, {UnknownTime})
        """;
}
