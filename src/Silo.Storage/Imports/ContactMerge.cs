using System.Globalization;
using Microsoft.Data.Sqlite;
using Silo.Storage.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Imports;

/// <summary>What a merge did, in rows.</summary>
/// <param name="Imported">Added.</param>
/// <param name="Updated">Overwritten.</param>
/// <param name="Skipped">There already, and left as they are.</param>
/// <param name="Transactions">In how many transactions the rows came in.</param>
internal readonly record struct MergeCounts(long Imported, long Updated, long Skipped, int Transactions = 1);

/// <summary>
/// Takes the rows of a <see cref="StagingDatabase"/> into the contacts, in one transaction of the writing connection. First the contacts
/// that are there are found, once, by their keys; then they are overwritten, or not, and the others are added.
/// </summary>
internal sealed class ContactMerge(SqliteConnection connection, StagingDatabase staged, ContactColumns columns, ImportsOptions options)
{
    /// <summary>From so many new rows on, and if they are more than what is there, indexes are made anew rather than added to.</summary>
    private const long FewestForRebuild = 20_000;

    /// <summary>Runs the merge.</summary>
    /// <param name="isOverwriting">Whether contacts that are there are overwritten, in the fields that the file has.</param>
    /// <param name="isAgentGiven">Whether the import names who looks after the contacts.</param>
    /// <param name="now">When it is done.</param>
    /// <param name="beforeCommit">Its last steps; what it throws undoes everything.</param>
    /// <exception cref="SqliteException">The disk refuses. Nothing was changed.</exception>
    public MergeCounts Run(bool isOverwriting, bool isAgentGiven, DateTimeOffset now, Action<MergeCounts> beforeCommit)
    {
        var settings = Settings.Take(connection);
        connection.Execute("ATTACH $path AS staged", ("$path", staged.Path));
        try
        {
            connection.Execute(string.Create(CultureInfo.InvariantCulture, $"""
                PRAGMA staged.journal_mode = OFF;
                PRAGMA staged.synchronous = OFF;
                PRAGMA main.cache_size = -{options.MergeCacheBytes / 1024};
                PRAGMA temp_store = FILE;
                """));
            using var transaction = connection.BeginTransaction(deferred: false);
            var counts = Merge(isOverwriting, isAgentGiven, now);
            beforeCommit(counts);
            transaction.Commit();
            return counts;
        }
        finally
        {
            settings.Restore(connection);
            connection.Execute("DETACH staged");
        }
    }

    private MergeCounts Merge(bool isOverwriting, bool isAgentGiven, DateTimeOffset now)
    {
        var time = ContactSql.Timestamp(now);
        var there = connection.Scalar<long>("SELECT count(*) FROM contacts");
        var matched = there == 0 ? 0 : Match();
        var updated = isOverwriting && matched > 0 ? Update(isAgentGiven, time) : 0;
        var added = connection.Scalar<long>("SELECT count(*) FROM staged.rows") - matched;
        if (added > 0) Insert(added, there, now, time);
        return new MergeCounts(added, updated, matched - updated);
    }

    private long Match() => connection.Execute("""
        INSERT INTO staged.matches SELECT r.row, c.seq FROM staged.rows r CROSS JOIN contacts c ON c.email_key = r.email_key
        """) + connection.Execute("""
        INSERT INTO staged.matches SELECT r.row, c.seq FROM staged.rows r CROSS JOIN contacts c ON c.phone_key = r.phone_key AND c.email_key IS NULL
        WHERE r.email_key IS NULL AND r.phone_key IS NOT NULL
        """);

    private long Update(bool isAgentGiven, string time)
    {
        // What the file has no column for stays. The e-mail's key is what was matched by, so it is the same.
        List<string> sets = ["updated_at = $now"];
        if (columns.HasName) sets.Add("name = r.name");
        if (columns.Has(ContactColumn.Email)) sets.Add("email = r.email");
        if (columns.Has(ContactColumn.Phone)) sets.Add("phone = r.phone, phone_key = r.phone_key");
        if (columns.Has(ContactColumn.Company)) sets.Add("company = r.company");
        if (columns.Has(ContactColumn.AgentId) || isAgentGiven) sets.Add("agent_id = r.agent_id");
        if (columns.Has(ContactColumn.Notes)) sets.Add("notes = r.notes");
        return connection.Execute(
            $"UPDATE contacts SET {string.Join(", ", sets)} FROM staged.matches m CROSS JOIN staged.rows r ON r.row = m.row WHERE contacts.seq = m.seq", ("$now", time));
    }

    private void Insert(long rows, long there, DateTimeOffset now, string time)
    {
        var isRebuilt = rows >= FewestForRebuild && rows > there;
        // Sorted once, an index of a million random keys takes a third of the time that a million insertions take, and its pages are
        // written once. Readers see the file as it was before all this.
        if (isRebuilt) foreach (var index in OrgSchema.ContactIndexes) connection.Execute($"DROP INDEX {index.Name}");
        var ids = new ContactIdSequence();
        connection.CreateFunction("silo_next_id", () => ids.Next(now));
        connection.Execute("""
            INSERT INTO contacts (id, name, email, phone, company, agent_id, created_at, updated_at, email_key, phone_key, notes)
            SELECT silo_next_id(), name, email, phone, company, agent_id, $now, $now, email_key, phone_key, notes
            FROM staged.rows r WHERE NOT EXISTS (SELECT 1 FROM staged.matches m WHERE m.row = r.row) ORDER BY r.row
            """, ("$now", time));
        if (isRebuilt) foreach (var index in OrgSchema.ContactIndexes) connection.Execute(index.Sql);
    }

    /// <summary>What a merge changes about its connection, and takes back.</summary>
    private readonly record struct Settings(long CacheSize, long TempStore)
    {
        public static Settings Take(SqliteConnection connection) => new(connection.Scalar<long>("PRAGMA main.cache_size"), connection.Scalar<long>("PRAGMA temp_store"));

        public void Restore(SqliteConnection connection) =>
            connection.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA main.cache_size = {CacheSize}; PRAGMA temp_store = {TempStore}; PRAGMA main.shrink_memory"));
    }
}
