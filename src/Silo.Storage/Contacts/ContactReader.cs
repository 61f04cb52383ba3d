using System.Globalization;
using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Contacts;

/// <summary>
/// Reads contacts on one connection, with statements compiled once. Rows become JSON inside SQLite and leave it as the bytes
/// that the client gets. Not thread-safe: <see cref="ContactReaderPool"/> lends it to one caller at a time.
/// </summary>
internal sealed class ContactReader : IDisposable
{
    /// <summary>A contact as the API shows it.</summary>
    public const string Json = """
        json_object('id', id, 'name', name, 'email', email, 'phone', phone, 'company', company, 'notes', notes,
                    'agentId', agent_id, 'createdAt', created_at, 'updatedAt', updated_at)
        """;

    private const string Matches =
        "(name LIKE $like ESCAPE '\\' OR email LIKE $like ESCAPE '\\' OR phone LIKE $like ESCAPE '\\' OR company LIKE $like ESCAPE '\\')";

    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _get;
    private readonly SqliteCommand _list;
    private readonly SqliteCommand _older;
    private readonly SqliteCommand _count;
    private SqliteCommand? _search;
    private SqliteCommand? _olderMatch;

    public ContactReader(string path)
    {
        _connection = OrgConnection.OpenReader(path);
        _get = _connection.Prepare($"SELECT {Json} FROM contacts WHERE id = $id", "$id");
        _list = _connection.Prepare(Page("seq < $before"), "$before", "$limit");
        _older = _connection.Prepare("SELECT EXISTS (SELECT 1 FROM contacts WHERE seq < $before)", "$before");
        _count = _connection.Prepare("SELECT count(*) FROM contacts");
    }

    /// <summary>For what is read seldom, and so is not compiled once.</summary>
    public SqliteConnection Connection => _connection;

    public JsonBytes Get(string id)
    {
        using var row = _get.With(id).ExecuteReader();
        return new JsonBytes(row.Read() ? row.GetFieldValue<byte[]>(0) : null);
    }

    public JsonBytes Count()
    {
        using var row = _count.ExecuteReader();
        row.Read();
        return new JsonBytes(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"count\":{row.GetInt64(0)}}}")));
    }

    public JsonBytes List(ContactListQuery query)
    {
        var before = query.Cursor is null ? long.MaxValue : ContactCursor.Parse(query.Cursor);
        byte[] items;
        long count, oldest;
        using (var row = (query.Search is null ? _list.With(before, query.Limit) : Search().With(before, query.Limit, Like(query.Search))).ExecuteReader())
        {
            row.Read();
            items = row.GetFieldValue<byte[]>(0);
            count = row.GetInt64(1);
            oldest = count == 0 ? 0 : row.GetInt64(2);
        }
        var more = count == query.Limit
            && (query.Search is null ? _older.With(oldest) : OlderMatch().With(oldest, Like(query.Search))).ExecuteScalar() is 1L;
        return ContactPage.Write(items, more ? oldest : null);
    }

    public void Dispose()
    {
        _get.Dispose();
        _list.Dispose();
        _older.Dispose();
        _count.Dispose();
        _search?.Dispose();
        _olderMatch?.Dispose();
        _connection.Dispose();
    }

    private static string Page(string condition) => $"""
        SELECT json_group_array({Json}), count(*), min(seq)
        FROM (SELECT * FROM contacts WHERE {condition} ORDER BY seq DESC LIMIT $limit)
        """;

    private static string Like(string search) =>
        $"%{search.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal)}%";

    private SqliteCommand Search() => _search ??= _connection.Prepare(Page($"seq < $before AND {Matches}"), "$before", "$limit", "$like");

    private SqliteCommand OlderMatch() =>
        _olderMatch ??= _connection.Prepare($"SELECT EXISTS (SELECT 1 FROM contacts WHERE seq < $before AND {Matches})", "$before", "$like");
}
