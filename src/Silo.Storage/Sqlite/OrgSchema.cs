using Microsoft.Data.Sqlite;
using Silo.Contracts;

namespace Silo.Storage.Sqlite;

/// <summary>
/// What every organization's file contains, in steps numbered by <c>PRAGMA user_version</c>. A step is never changed once
/// released: files of every version are out there.
/// </summary>
internal static class OrgSchema
{
    // seq is the order in which contacts were added: the table itself is sorted by it, so a page of the newest is one short
    // run of leaves, and a cursor survives equal times. The keys are what contacts are compared by (ContactRules).
    // notes comes last, since a long text goes to overflow pages and what follows it would be read through them.
    private const string ContactsTable = """
        CREATE TABLE contacts (
          seq INTEGER PRIMARY KEY,
          id TEXT NOT NULL,
          name TEXT NOT NULL,
          email TEXT,
          phone TEXT,
          company TEXT,
          agent_id TEXT,
          created_at TEXT NOT NULL,
          updated_at TEXT NOT NULL,
          email_key TEXT,
          phone_key TEXT,
          notes TEXT) STRICT
        """;

    // By subject it is unique, so that what has happened once cannot be written down twice.
    private const string AuditTable = """
        CREATE TABLE silo_audit (
          seq INTEGER PRIMARY KEY,
          at TEXT NOT NULL,
          action TEXT NOT NULL,
          subject TEXT NOT NULL,
          user TEXT,
          source TEXT,
          outcome TEXT NOT NULL,
          details TEXT NOT NULL) STRICT
        """;

    private const string AuditIndex = "CREATE UNIQUE INDEX silo_audit_subject ON silo_audit (action, subject)";

    private const string AuditUpdateTrigger =
        "CREATE TRIGGER silo_audit_update BEFORE UPDATE ON silo_audit BEGIN SELECT RAISE(ABORT, 'The audit trail is only added to.'); END";

    private const string AuditDeleteTrigger =
        "CREATE TRIGGER silo_audit_delete BEFORE DELETE ON silo_audit BEGIN SELECT RAISE(ABORT, 'The audit trail is only added to.'); END";

    private static readonly string[] Steps =
    [
        $"""
        CREATE TABLE silo_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
        {ContactsTable};
        CREATE UNIQUE INDEX silo_contacts_id ON contacts (id);
        CREATE UNIQUE INDEX silo_contacts_email ON contacts (email_key) WHERE email_key IS NOT NULL;
        CREATE UNIQUE INDEX silo_contacts_phone ON contacts (phone_key) WHERE email_key IS NULL AND phone_key IS NOT NULL;
        """,
        $"{AuditTable}; {AuditIndex}; {AuditUpdateTrigger}; {AuditDeleteTrigger};",
    ];

    /// <summary>The indexes of contacts, for who makes them anew: as the steps leave them.</summary>
    public static readonly IReadOnlyList<(string Name, string Sql)> ContactIndexes =
    [
        ("silo_contacts_id", "CREATE UNIQUE INDEX silo_contacts_id ON contacts (id)"),
        ("silo_contacts_email", "CREATE UNIQUE INDEX silo_contacts_email ON contacts (email_key) WHERE email_key IS NOT NULL"),
        ("silo_contacts_phone", "CREATE UNIQUE INDEX silo_contacts_phone ON contacts (phone_key) WHERE email_key IS NULL AND phone_key IS NOT NULL"),
    ];

    /// <summary>What makes the table of contacts in a database that has none and is not a file of ours.</summary>
    public static IEnumerable<string> ContactStatements => [ContactsTable, .. ContactIndexes.Select(index => index.Sql)];

    /// <summary>What makes the audit trail there.</summary>
    public static IEnumerable<string> AuditStatements => [AuditTable, AuditIndex, AuditUpdateTrigger, AuditDeleteTrigger];

    private const string SelectStamp = "SELECT value FROM silo_meta WHERE key = 'organization_id'";

    /// <summary>The newest version.</summary>
    public static int Version => Steps.Length;

    /// <summary>Checks the structure of a file that came from elsewhere.</summary>
    /// <exception cref="SchemaException">It is damaged.</exception>
    public static void CheckWhole(SqliteConnection connection, OrganizationId organization)
    {
        if (connection.Scalar<string>("PRAGMA quick_check(1)") is var check and not "ok")
            throw new SchemaException($"The file of {organization} is damaged: {check}. Choose an older point of the replica (silo restore).", isUseless: true);
    }

    /// <summary>Brings a file to the newest version, each step in a transaction of its own, and stamps a new one with its organization.</summary>
    /// <exception cref="SchemaException">The file is of a newer version, or of another organization.</exception>
    public static void Migrate(SqliteConnection connection, OrganizationId organization)
    {
        var found = (int)connection.Scalar<long>("PRAGMA user_version");
        if (found > Version)
            throw new SchemaException($"The file of {organization} has schema version {found}, and this program knows up to {Version}: it was written by a newer one. Upgrade this silo.", isUseless: false);

        for (var version = found; version < Version; version++)
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            // A file that the older system made has a table of this name; its rows are kept under another one until they are taken over.
            if (version == 0) LegacyContacts.SetAside(connection);
            connection.Execute(Steps[version]);
            if (version == 0)
            {
                connection.Execute("INSERT INTO silo_meta (key, value) VALUES ('organization_id', $id), ('high_water', '0')", ("$id", organization.Value));
                LegacyContacts.TakeOver(connection);
            }
            connection.Execute($"PRAGMA user_version = {version + 1}");
            transaction.Commit();
        }
        CheckOrganization(connection, organization);
    }

    /// <summary>The counter that is raised before each release; what the head says of it must be in the file.</summary>
    public static long ReadHighWater(SqliteConnection connection) =>
        long.Parse(connection.Scalar<string>("SELECT value FROM silo_meta WHERE key = 'high_water'") ?? "0", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Sets the counter above another one that was reached with other rows.</summary>
    public static void RaiseHighWaterAbove(SqliteConnection connection, long other) =>
        connection.Execute("UPDATE silo_meta SET value = max(CAST(value AS INTEGER), $other) + 1 WHERE key = 'high_water'", ("$other", other));

    /// <summary>Raises the counter by one.</summary>
    public static long RaiseHighWater(SqliteConnection connection) =>
        long.Parse(connection.Scalar<string>("UPDATE silo_meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'high_water' RETURNING value")!, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A change that means nothing, of one page.</summary>
    /// <remarks>
    /// Not the high-water mark: that is proven and put into the head, while this may be the one commit that nobody waits for. And
    /// a new value each time: SQLite does not write what is there already.
    /// </remarks>
    public static void Poke(SqliteConnection connection) =>
        connection.Execute("INSERT INTO silo_meta (key, value) VALUES ('pokes', '1') ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1");

    /// <summary>The organization that a file, or the beginning of one, is stamped with; null when that cannot be read.</summary>
    public static string? ReadStamp(string path)
    {
        try
        {
            using var connection = OrgConnection.OpenImmutable(path);
            return connection.Scalar<string>(SelectStamp);
        }
        catch (SqliteException)
        {
            return null;
        }
    }

    /// <summary>Gives a file that is nobody's yet to another organization.</summary>
    /// <exception cref="SchemaException">It is not stamped with the first one.</exception>
    public static void Restamp(SqliteConnection connection, OrganizationId from, OrganizationId to)
    {
        CheckOrganization(connection, from);
        connection.Execute("UPDATE silo_meta SET value = $to WHERE key = 'organization_id'", ("$to", to.Value));
    }

    private static void CheckOrganization(SqliteConnection connection, OrganizationId organization)
    {
        var stamped = connection.Scalar<string>(SelectStamp);
        if (stamped != organization.Value)
            throw new SchemaException($"The file restored for {organization} is stamped with another organization. Look for objects that were copied between replica paths.", isUseless: true);
    }
}

/// <summary>A file's schema is not one that may be served.</summary>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="isUseless">True when no program could serve it: damaged, another organization's, or too short.</param>
public sealed class SchemaException(string message, bool isUseless) : Exception(message)
{
    /// <summary>True when no program could serve the file; false when another version of this one can.</summary>
    public bool IsUseless { get; } = isUseless;
}
