using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Contacts;

/// <summary>Changes contacts on the writing connection, each change in a transaction of its own. Not thread-safe, like its connection.</summary>
internal sealed class ContactWriter : IDisposable
{
    private const int UniqueViolation = 2067; // SQLITE_CONSTRAINT_UNIQUE
    private const int PrimaryKeyViolation = 1555; // SQLITE_CONSTRAINT_PRIMARYKEY

    private readonly TimeProvider _time;
    private readonly SqliteCommand _insert;
    private readonly SqliteCommand _update;
    private readonly SqliteCommand _delete;
    private readonly SqliteCommand _get;

    public ContactWriter(SqliteConnection connection, TimeProvider time)
    {
        _time = time;
        _insert = connection.Prepare(ContactSql.Own.Insert, ContactSql.Written);
        _update = connection.Prepare(ContactSql.Own.Update, ContactSql.Written);
        _delete = connection.Prepare(ContactSql.Own.Delete, "$id");
        _get = connection.Prepare(ContactSql.Own.Get, "$id");
    }

    /// <summary>Adds a contact. One of this id is the same one, added before: whoever asked had lost the answer.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactExists"/>.</exception>
    public JsonBytes Insert(string id, ContactFields fields)
    {
        var time = ContactSql.Timestamp(_time.GetUtcNow());
        try
        {
            _insert.With(ContactSql.Values(id, fields, time)).ExecuteNonQuery();
        }
        catch (SqliteException e) when (e.SqliteExtendedErrorCode is UniqueViolation or PrimaryKeyViolation)
        {
            using var row = _get.With(id).ExecuteReader();
            return row.Read() ? new JsonBytes(row.GetFieldValue<byte[]>(0)) : throw ContactSql.Exists(fields, e);
        }
        return new JsonBytes(ContactJson.Write(id, fields, time));
    }

    /// <summary>The contact as it is now; no text when there is none of this id.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactExists"/>.</exception>
    public JsonBytes Replace(string id, ContactFields fields)
    {
        try
        {
            using var row = _update.With(ContactSql.Values(id, fields, ContactSql.Timestamp(_time.GetUtcNow()))).ExecuteReader();
            return new JsonBytes(row.Read() ? row.GetFieldValue<byte[]>(0) : null);
        }
        catch (SqliteException e) when (e.SqliteExtendedErrorCode == UniqueViolation)
        {
            throw ContactSql.Exists(fields, e);
        }
    }

    /// <summary>Whether there was one.</summary>
    public bool Delete(string id) => _delete.With(id).ExecuteNonQuery() > 0;

    public void Dispose()
    {
        _insert.Dispose();
        _update.Dispose();
        _delete.Dispose();
        _get.Dispose();
    }
}
