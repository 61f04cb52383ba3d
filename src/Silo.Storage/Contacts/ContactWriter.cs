using System.Globalization;
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
        _insert = connection.Prepare(
            """
            INSERT INTO contacts (id, name, email, phone, company, agent_id, created_at, updated_at, email_key, phone_key, notes)
            VALUES ($id, $name, $email, $phone, $company, $agent, $now, $now, $emailKey, $phoneKey, $notes)
            """,
            "$id", "$name", "$email", "$phone", "$company", "$agent", "$now", "$emailKey", "$phoneKey", "$notes");
        _update = connection.Prepare(
            $"""
            UPDATE contacts SET name = $name, email = $email, phone = $phone, company = $company, agent_id = $agent,
              updated_at = $now, email_key = $emailKey, phone_key = $phoneKey, notes = $notes
            WHERE id = $id RETURNING {ContactReader.Json}
            """,
            "$id", "$name", "$email", "$phone", "$company", "$agent", "$now", "$emailKey", "$phoneKey", "$notes");
        _delete = connection.Prepare("DELETE FROM contacts WHERE id = $id", "$id");
        _get = connection.Prepare($"SELECT {ContactReader.Json} FROM contacts WHERE id = $id", "$id");
    }

    /// <summary>A time as the tables have it.</summary>
    public static string Timestamp(DateTimeOffset now) => now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>Adds a contact. One of this id is the same one, added before: whoever asked had lost the answer.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactExists"/>.</exception>
    public JsonBytes Insert(string id, ContactFields fields)
    {
        var time = Timestamp(_time.GetUtcNow());
        try
        {
            Bind(_insert, id, fields, time).ExecuteNonQuery();
        }
        catch (SqliteException e) when (e.SqliteExtendedErrorCode is UniqueViolation or PrimaryKeyViolation)
        {
            using var row = _get.With(id).ExecuteReader();
            return row.Read() ? new JsonBytes(row.GetFieldValue<byte[]>(0)) : throw Exists(e);
        }
        return new JsonBytes(ContactJson.Write(id, fields, time));
    }

    /// <summary>The contact as it is now; no text when there is none of this id.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactExists"/>.</exception>
    public JsonBytes Replace(string id, ContactFields fields)
    {
        try
        {
            using var row = Bind(_update, id, fields, Timestamp(_time.GetUtcNow())).ExecuteReader();
            return new JsonBytes(row.Read() ? row.GetFieldValue<byte[]>(0) : null);
        }
        catch (SqliteException e) when (e.SqliteExtendedErrorCode == UniqueViolation)
        {
            throw Exists(e);
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

    private static SqliteCommand Bind(SqliteCommand command, string id, ContactFields fields, string time) => command.With(
        id, fields.Name, fields.Email, fields.Phone, fields.Company, fields.AgentId, time,
        ContactRules.EmailKey(fields.Email), ContactRules.PhoneKey(fields.Phone), fields.Notes);

    private static OrganizationException Exists(SqliteException e) => new(
        OrganizationErrorCode.ContactExists,
        e.Message.Contains("phone", StringComparison.Ordinal)
            ? "Another contact without an e-mail has this phone number."
            : "Another contact has this e-mail address.");
}
