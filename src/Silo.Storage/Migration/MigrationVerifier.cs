using Microsoft.Data.Sqlite;
using Silo.Storage.Sqlite;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>
/// Compares a copy with its source, as if it did not know how it was made: the schema, each table's rows and their hash, read anew on both
/// sides, and what SQLite itself says of the file.
/// </summary>
internal sealed class MigrationVerifier(TursoDatabase source, MigrationOptions options, TimeProvider time)
{
    private const int MaxMessages = 10;

    /// <summary>Compares a copy over which our own schema is not laid yet.</summary>
    /// <exception cref="MigrationException">SQLite does not take the source's schema.</exception>
    public async Task<MigrationVerification> VerifyAsync(SqliteConnection copy, Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        var schema = await SourceSchema.ReadAsync(source, cancellationToken);
        using var rehearsal = Rehearse(schema);
        return await CompareAsync(rehearsal, schema.DifferencesTo(SchemaWriting.Read(copy)), copy, Map.Plain, isWhole: true, progress, cancellationToken);
    }

    /// <summary>
    /// Compares an organization's database, over which our own schema was laid, with its source. The same is laid over the source's schema
    /// in memory; then all objects must be the same, ours too. Of the rows our own tables are left out, and the older system's contacts,
    /// which were kept as they were, are read under their other name.
    /// </summary>
    /// <exception cref="MigrationException">SQLite does not take the source's schema, or ours does not fit over it.</exception>
    public async Task<MigrationVerification> VerifyAdoptedAsync(SqliteConnection copy, Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        var schema = await SourceSchema.ReadAsync(source, cancellationToken);
        using var rehearsal = Rehearse(schema);
        SourceSchema expected;
        try
        {
            expected = rehearsal.Adopt(source.Organization);
        }
        catch (Exception e) when (e is SqliteException or SchemaException)
        {
            throw new MigrationException(source.Organization, MigrationFailure.NotAdopted, $"its present schema does not fit under ours: {e.Message}", e);
        }
        var differences = expected.DifferencesTo(SchemaWriting.Read(copy)).ToList();
        var version = copy.Scalar<string>("SELECT value FROM silo_meta WHERE key = 'source_user_version'");
        if (version != $"{schema.UserVersion}") differences.Add($"user_version was {version}, and is {schema.UserVersion} now");
        return await CompareAsync(rehearsal, differences, copy, Map.Adopted, isWhole: false, progress, cancellationToken);
    }

    private SchemaRehearsal Rehearse(SourceSchema schema)
    {
        var rehearsal = new SchemaRehearsal(schema);
        if (rehearsal.Refused is not [var (refused, reason), ..]) return rehearsal;
        rehearsal.Dispose();
        throw new MigrationException(source.Organization, MigrationFailure.NotPossible, $"SQLite does not take {refused.Title}: {reason}");
    }

    private async Task<MigrationVerification> CompareAsync(
        SchemaRehearsal rehearsal, IEnumerable<string> schemaDifferences, SqliteConnection copy, Map map, bool isWhole, Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        List<string> differences = [.. schemaDifferences], notes = [];
        var tables = new List<TableComparison>();
        long done = 0;
        foreach (var table in rehearsal.Tables)
        {
            // Both sides at once; the connection has no other user meanwhile.
            var here = Task.Run(() => Digest(copy, map, table, cancellationToken), cancellationToken);
            TableDigest there;
            try
            {
                await using var rows = new SourceRows(source, table, options, time);
                there = await TableDigest.OfAsync(rows, count => progress?.Invoke(new MigrationProgress(table.Name, done += count)), cancellationToken);
            }
            finally
            {
                await ((Task)here).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            var (digest, problem) = await here;
            tables.Add(new TableComparison(table.Name, there, digest));
            if (digest is null) differences.Add($"table {table.Name} cannot be read: {problem}");
            else if (digest.Rows != there.Rows) differences.Add($"table {table.Name} has {digest.Rows} rows, not {there.Rows}");
            else if (digest.Sha256 != there.Sha256) differences.Add($"table {table.Name} has as many rows, but not the same");
        }
        await Task.Run(() => Check(copy, isWhole, differences, notes), cancellationToken);
        return new MigrationVerification(tables, differences, notes);
    }

    private static (TableDigest? Digest, string? Problem) Digest(SqliteConnection copy, Map map, TableShape table, CancellationToken cancellationToken)
    {
        try
        {
            return (TableDigest.Of(copy, map.Select(table), cancellationToken), null);
        }
        catch (SqliteException e)
        {
            return (null, e.Message);
        }
    }

    private static void Check(SqliteConnection copy, bool isWhole, List<string> differences, List<string> notes)
    {
        // It would find a broken rule in rows that the source has just so. Those are told of here, and are no difference.
        if (isWhole) differences.AddRange(Messages(copy, $"PRAGMA integrity_check({MaxMessages})").Where(message => message != "ok").Select(message => $"integrity_check: {message}"));
        var orphans = copy.Scalar<long>("SELECT count(*) FROM pragma_foreign_key_check");
        if (orphans > 0) notes.Add($"foreign_key_check: {orphans} rows refer to rows that are not there, as in the Turso database");
    }

    private static List<string> Messages(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var rows = command.ExecuteReader();
        var messages = new List<string>();
        while (rows.Read()) messages.Add(rows.GetString(0));
        return messages;
    }

    /// <summary>Where a table of the source is in the copy.</summary>
    private sealed record Map(bool IsAdopted)
    {
        public static readonly Map Plain = new(false);
        public static readonly Map Adopted = new(true);

        public string Select(TableShape table) => (IsAdopted, table.Name) switch
        {
            (true, "contacts") => table.Select(table: SchemaWriting.KeptContacts),
            (true, SchemaWriting.Audit) => table.Select(table: SchemaWriting.KeptAudit),
            // The new name of a table is put here too.
            (true, "sqlite_sequence") => table.Select(cells: [.. table.Cells.Select(cell => cell == "\"name\"" ? $"CASE \"name\" WHEN '{SchemaWriting.KeptContacts}' THEN 'contacts' ELSE \"name\" END" : cell)]),
            _ => table.Select(),
        };
    }
}
