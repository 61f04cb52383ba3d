namespace Silo.Storage.Databases;

/// <summary>What is asked of a database, as metrics and spans name it.</summary>
/// <param name="name">The value of <c>db.operation.name</c>.</param>
internal sealed class DatabaseOperation(string name)
{
    public static readonly DatabaseOperation Get = new("get");
    public static readonly DatabaseOperation List = new("list");
    public static readonly DatabaseOperation Search = new("search");
    public static readonly DatabaseOperation Count = new("count");
    public static readonly DatabaseOperation Insert = new("insert");
    public static readonly DatabaseOperation Update = new("update");
    public static readonly DatabaseOperation Delete = new("delete");
    public static readonly DatabaseOperation Import = new("import");
    public static readonly DatabaseOperation FindImport = new("find_import");
    public static readonly DatabaseOperation ListAudit = new("list_audit");

    public string Name => name;

    /// <summary>Made once: it would cost more than what it labels.</summary>
    public KeyValuePair<string, object?> Label { get; } = new("db.operation.name", name);
}
