using Microsoft.Data.Sqlite;

namespace Silo.Storage.Sqlite;

/// <summary>
/// A file that the older system replicated has a <c>contacts</c> table of its own shape. It is kept as it is under another
/// name, and its rows are copied, oldest first, from whichever of the known columns it has.
/// </summary>
internal static class LegacyContacts
{
    private const string Kept = "contacts_before_silo";

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
        var columns = Columns(connection);
        connection.CreateFunction("silo_email_key", (string? email) => Contracts.Contacts.ContactRules.EmailKey(email));
        connection.CreateFunction("silo_phone_key", (string? phone) => Contracts.Contacts.ContactRules.PhoneKey(phone));
        const string Now = "strftime('%Y-%m-%dT%H:%M:%fZ','now')";
        connection.Execute($"""
            INSERT INTO contacts (id, name, email, phone, company, agent_id, created_at, updated_at, notes)
            SELECT {Text("id")}, coalesce({Text("name")}, ''), nullif({Text("email")}, ''), nullif({Text("phone")}, ''), {Text("company")},
                   {Text("agent_id", "agentId")}, coalesce({Text("created_at", "createdAt")}, {Now}),
                   coalesce({Text("updated_at", "updatedAt")}, {Text("created_at", "createdAt")}, {Now}), {Text("notes")}
            FROM {Kept} ORDER BY {Text("created_at", "createdAt")}, {Text("id")};
            UPDATE contacts SET email_key = silo_email_key(email)
              WHERE seq IN (SELECT max(seq) FROM contacts WHERE email IS NOT NULL GROUP BY silo_email_key(email));
            UPDATE contacts SET phone_key = silo_phone_key(phone)
              WHERE email_key IS NOT NULL OR seq IN (SELECT max(seq) FROM contacts WHERE email IS NULL AND phone IS NOT NULL GROUP BY silo_phone_key(phone));
            """);

        string Text(params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
            {
                if (columns.Contains(name)) return $"CAST({Kept}.{name} AS TEXT)";
            }
            return "NULL";
        }
    }

    private static HashSet<string> Columns(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT name FROM pragma_table_info('{Kept}')";
        using var rows = command.ExecuteReader();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        while (rows.Read()) names.Add(rows.GetString(0));
        return names;
    }

    private static bool Exists(SqliteConnection connection, string table) =>
        connection.Scalar<long>("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $name", ("$name", table)) > 0;
}
