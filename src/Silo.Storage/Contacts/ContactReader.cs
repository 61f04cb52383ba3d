using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Sqlite;
using SQLitePCL;

namespace Silo.Storage.Contacts;

/// <summary>
/// Reads contacts on one connection, with statements compiled once. Rows become JSON inside SQLite and leave it as the bytes
/// that the client gets. Not thread-safe: <see cref="ContactReaderPool"/> lends it to one caller at a time.
/// </summary>
internal sealed class ContactReader : IDisposable
{
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
        _get = _connection.Prepare(ContactSql.Own.Get, "$id");
        _list = _connection.Prepare(ContactSql.Own.List, "$before", "$limit");
        _older = _connection.Prepare(ContactSql.Own.Older, "$before");
        _count = _connection.Prepare(ContactSql.Count);
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
        return ContactSql.CountJson(row.GetInt64(0));
    }

    public JsonBytes List(ContactListQuery query)
    {
        var before = query.Cursor is null ? long.MaxValue : ContactCursor.Parse(query.Cursor);
        using var row = (query.Search is null ? _list.With(before, query.Limit) : Search().With(before, query.Limit, ContactSql.Like(query.Search))).ExecuteReader();
        row.Read();
        var count = row.GetInt64(1);
        var oldest = count == 0 ? 0 : row.GetInt64(2);
        var more = count == query.Limit
            && (query.Search is null ? _older.With(oldest) : OlderMatch().With(oldest, ContactSql.Like(query.Search))).ExecuteScalar() is 1L;
        // In SQLite's own memory until the row is left: copied once, into the answer.
        return ContactPage.Write(raw.sqlite3_column_blob(row.Handle, 0), more ? ContactCursor.Format(oldest) : null);
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

    private SqliteCommand Search() => _search ??= _connection.Prepare(ContactSql.Own.Search, "$before", "$limit", "$like");

    private SqliteCommand OlderMatch() => _olderMatch ??= _connection.Prepare(ContactSql.Own.OlderMatch, "$before", "$like");
}
