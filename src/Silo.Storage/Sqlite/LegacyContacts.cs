using Microsoft.Data.Sqlite;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;

namespace Silo.Storage.Sqlite;

/// <summary>
/// A file that the older system replicated has a <c>contacts</c> table of its own shape (<see cref="ContactTable"/>). It is kept as it is
/// under another name, and its rows are copied in the order in which they were added, so that the newest are where they were.
/// </summary>
internal static class LegacyContacts
{
    /// <summary>The name that the older table is kept under.</summary>
    public const string Kept = "contacts_before_silo";

    /// <summary>Moves the older table out of the way, if there is one.</summary>
    public static void SetAside(SqliteConnection connection)
    {
        if (!Exists(connection, "contacts")) return;
        connection.Execute($"ALTER TABLE contacts RENAME TO {Kept}");
    }

    /// <summary>Copies its rows. Of several with one e-mail (or phone) the newest has the key; the others stay, readable and unkeyed.</summary>
    public static void TakeOver(SqliteConnection connection)
    {
        if (!Exists(connection, Kept)) return;
        var table = Table(connection);
        connection.CreateFunction("silo_email_key", (string? email) => ContactRules.EmailKey(email));
        connection.CreateFunction("silo_phone_key", (string? phone) => ContactRules.PhoneKey(phone));
        connection.Execute($"""
            INSERT INTO contacts ({string.Join(", ", ContactTable.Fields)})
            SELECT {string.Join(", ", ContactTable.Fields.Select(table.Of))} FROM {Kept} ORDER BY {table.Order};
            UPDATE contacts SET email_key = silo_email_key(email)
              WHERE seq IN (SELECT max(seq) FROM contacts WHERE email IS NOT NULL GROUP BY silo_email_key(email));
            UPDATE contacts SET phone_key = silo_phone_key(phone)
              WHERE email_key IS NOT NULL OR seq IN (SELECT max(seq) FROM contacts WHERE email IS NULL AND phone IS NOT NULL GROUP BY silo_phone_key(phone));
            """);
    }

    /// <summary>What happened to contacts since their rows were copied.</summary>
    /// <param name="connection">A connection to a file that nobody writes to.</param>
    public static (long Added, long Changed, long Removed) ChangesSince(SqliteConnection connection)
    {
        if (!Exists(connection, Kept)) return (connection.Scalar<long>("SELECT count(*) FROM contacts"), 0, 0);
        var table = Table(connection);
        string Of(string alias) => string.Join(", ", ContactTable.Fields.Select(field => $"{alias}.{field}"));
        connection.Execute($"""
            CREATE TEMP TABLE was AS SELECT {string.Join(", ", ContactTable.Fields.Select(field => $"{table.Of(field)} AS {field}"))} FROM {Kept};
            CREATE UNIQUE INDEX temp.was_id ON was (id);
            """);
        return (
            connection.Scalar<long>("SELECT count(*) FROM main.contacts WHERE id NOT IN (SELECT id FROM was)"),
            connection.Scalar<long>($"SELECT count(*) FROM main.contacts c JOIN was w ON w.id = c.id WHERE ({Of("c")}) IS NOT ({Of("w")})"),
            connection.Scalar<long>("SELECT count(*) FROM was WHERE id NOT IN (SELECT id FROM main.contacts)"));
    }

    private static ContactTable Table(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = ContactTableSql.Select(Kept);
        using var rows = command.ExecuteReader();
        var read = new ContactTableSql();
        while (rows.Read()) read.Add(rows.GetString(0), rows.GetBoolean(1), rows.GetString(2), rows.GetString(3), rows.GetBoolean(4), rows.GetBoolean(5), rows.GetInt32(6), rows.GetInt32(7));
        return read.Table!;
    }

    private static bool Exists(SqliteConnection connection, string table) =>
        connection.Scalar<long>("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $name", ("$name", table)) > 0;
}
