using System.Globalization;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Sqlite;
using Silo.Storage.Turso;

namespace Silo.Storage.Imports;

/// <summary>
/// Takes the rows of a <see cref="StagingDatabase"/> into contacts on Turso. First the keys of the contacts that are there are fetched, and
/// matched on this machine; then the rows go over, as many as one request may have, and each request is one transaction.
/// </summary>
/// <remarks>
/// A request that is a transaction needs no stream, which the server would give up after some seconds. With its rows each one writes down how
/// far they go, in a row that can be there once, and only until the import is recorded: sent twice, or by two clusters at once, the second is
/// refused whole. What was interrupted goes on behind the last one.
/// </remarks>
internal sealed class TursoContactMerge(TursoDatabase remote, ContactSql sql, PendingMerge merge, string time)
{
    /// <summary>How far each import has come that was not recorded yet.</summary>
    public const string ChunksTable = "silo_import_chunks";

    private const string Chunks = $"""
        CREATE TABLE IF NOT EXISTS {ChunksTable} (subject TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
          imported INTEGER NOT NULL, updated INTEGER NOT NULL, PRIMARY KEY (subject, first)) STRICT, WITHOUT ROWID
        """;

    // NULL is refused. The chunks are deleted with the record, so that one alone tells whoever comes late that all of it is in.
    private const string BeginChunk = $"""
        INSERT INTO silo_import_chunks (subject, first, last, imported, updated)
        VALUES ($subject, CASE WHEN {ImportRecord.ExistsSql} THEN NULL ELSE $first END, $last, 0, 0)
        """;

    private const string Counts = "SELECT coalesce(sum(imported), 0), coalesce(sum(updated), 0), count(*) FROM silo_import_chunks WHERE subject = $subject";

    private const string Row = "silo_row";
    private const string Places = $"(SELECT key AS silo_place, value AS {Row} FROM json_each($rows))";

    private int _rows = merge.Options.TursoRows; // fewer once a request was too large

    private readonly string _insert = InsertSql(sql.Table, "");
    private readonly string _insertChanged = InsertSql(sql.Table, $" AND {IsChanged(sql.Table)}");
    private readonly string _update = UpdateSql(sql.Table, merge);

    /// <summary>The fields that rows of this import have values for, so that the table must have columns for them.</summary>
    public static ContactFields Written(PendingMerge merge) => new(
        "", Some(ContactColumn.Email, merge), Some(ContactColumn.Phone, merge), Some(ContactColumn.Company, merge), Some(ContactColumn.Notes, merge),
        merge.Import.Options.AgentId ?? Some(ContactColumn.AgentId, merge));

    /// <summary>Fetches the keys of all contacts and finds those that rows stand for. To be done while nothing else is imported.</summary>
    public async Task MatchAsync(CancellationToken cancellationToken)
    {
        using var staged = OrgConnection.OpenScratch(merge.Staged.Path);
        staged.Execute("""
            BEGIN;
            DROP TABLE IF EXISTS there;
            CREATE TABLE there (place INTEGER PRIMARY KEY, id TEXT, email_key TEXT, phone_key TEXT, email TEXT, phone TEXT);
            """);
        const string Add = "INSERT INTO there (id, email_key, phone_key, email, phone) VALUES ($id, $emailKey, $phoneKey, $email, $phone)";
        using (var add = staged.Prepare(Add, "$id", "$emailKey", "$phoneKey", "$email", "$phone"))
        {
            var table = sql.Table;
            await using var contacts = await remote.OpenCursorAsync(
                new TursoStatement($"SELECT {table.Of("id")}, {table.Of("email")}, {table.Of("phone")} FROM contacts ORDER BY {table.Order}"), cancellationToken);
            await foreach (var contact in contacts.ReadAllAsync(cancellationToken))
            {
                var (email, phone) = (Text(contact[1]), Text(contact[2]));
                // Our own table has the keys to see by whether a contact is still the one; an older one has what they were made of.
                add.With(Text(contact[0]), ContactRules.EmailKey(email), ContactRules.PhoneKey(phone), table.IsOwn ? null : email, table.IsOwn ? null : phone).ExecuteNonQuery();
            }
        }
        // Of contacts that should not be there twice the newest counts.
        staged.Execute("""
            CREATE TABLE found (row INTEGER PRIMARY KEY, id TEXT, email TEXT, phone TEXT);
            CREATE INDEX there_email ON there (email_key) WHERE email_key IS NOT NULL;
            CREATE INDEX there_phone ON there (phone_key) WHERE email_key IS NULL AND phone_key IS NOT NULL;
            INSERT INTO found SELECT r.row, t.id, t.email, t.phone
              FROM rows r JOIN (SELECT email_key AS k, max(place) AS place FROM there WHERE email_key IS NOT NULL GROUP BY email_key) m ON m.k = r.email_key
              JOIN there t ON t.place = m.place;
            INSERT INTO found SELECT r.row, t.id, t.email, t.phone
              FROM rows r JOIN (SELECT phone_key AS k, max(place) AS place FROM there WHERE email_key IS NULL AND phone_key IS NOT NULL GROUP BY phone_key) m ON m.k = r.phone_key
              JOIN there t ON t.place = m.place
              WHERE r.email_key IS NULL;
            COMMIT;
            """);
    }

    /// <summary>The row behind which an interrupted import goes on; 0 at its beginning.</summary>
    public async Task<long> BeginAsync(CancellationToken cancellationToken)
    {
        await remote.ExecuteAsync(new TursoStatement(Chunks), cancellationToken);
        return (await remote.QueryAsync(Of("SELECT coalesce(max(last), 0) FROM silo_import_chunks WHERE subject = $subject"), cancellationToken)).Rows[0][0].AsInteger();
    }

    /// <summary>Sends the next rows in one transaction.</summary>
    /// <param name="after">The row behind which they begin.</param>
    /// <param name="now">When it is done; ids of new contacts begin with it.</param>
    /// <param name="cancellationToken">Gives up; whether they are in is then unknown.</param>
    /// <returns>The last row of them; the same as <paramref name="after"/> when there are no more.</returns>
    public async Task<long> SendAsync(long after, DateTimeOffset now, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (inserts, updates, last, rows) = await BackgroundThread.RunAsync(() => Next(after, now));
            if (last == after) return last;
            try
            {
                await SendAsync(inserts, updates, after, last, cancellationToken);
                return last;
            }
            catch (TursoException e) when (e is { Failure: TursoFailure.TooLarge, MayHaveExecuted: false } && rows > 1)
            {
                // How much a server takes, or a proxy before it, shows only when it refuses; TursoBytes counts what the rows are before they are JSON.
                _rows = rows / 2;
            }
        }
    }

    private async Task SendAsync(string? inserts, string? updates, long after, long last, CancellationToken cancellationToken)
    {
        List<TursoStatement> statements =
        [
            Of(BeginChunk, ("first", after), ("last", last)),
        ];
        if (inserts is not null) statements.AddRange([Rows(_insert, inserts), Counting("imported", after)]);
        if (updates is not null) statements.AddRange([Rows(_insertChanged, updates), Counting("imported", after), Rows(_update, updates), Counting("updated", after)]);
        await remote.ExecuteAllAsync(statements, cancellationToken);
    }

    /// <summary>What came of all its transactions.</summary>
    public async Task<MergeCounts> CountAsync(CancellationToken cancellationToken)
    {
        var row = (await remote.QueryAsync(Of(Counts), cancellationToken)).Rows[0];
        using var staged = OrgConnection.OpenScratch(merge.Staged.Path);
        var (imported, updated) = (row[0].AsInteger(), row[1].AsInteger());
        return new MergeCounts(imported, updated, staged.Scalar<long>("SELECT count(*) FROM rows") - imported - updated, Math.Max(1, (int)row[2].AsInteger()));
    }

    /// <summary>Forgets how far an import has come; to be done with the record of it.</summary>
    public static TursoStatement End(string id) => Of(id, "DELETE FROM silo_import_chunks WHERE subject = $subject");

    /// <summary>How many rows of an import that was not recorded are in, added and updated; null when none of its transactions is.</summary>
    public static async Task<(long Imported, long Updated)?> FindPartAsync(TursoDatabase remote, string id, CancellationToken cancellationToken)
    {
        if ((await remote.QueryAsync(new TursoStatement($"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{ChunksTable}'"), cancellationToken)).Rows[0][0].AsInteger() == 0) return null;
        var row = (await remote.QueryAsync(Of(id, Counts), cancellationToken)).Rows[0];
        return row[2].AsInteger() == 0 ? null : (row[0].AsInteger(), row[1].AsInteger());
    }

    /// <summary>The next rows as JSON, to be added and to be overwritten.</summary>
    private (string? Inserts, string? Updates, long Last, int Rows) Next(long after, DateTimeOffset now)
    {
        using var staged = OrgConnection.OpenScratch(merge.Staged.Path);
        var ids = new ContactIdSequence();
        staged.CreateFunction("silo_next_id", () => ids.Next(now));
        var found = staged.Scalar<string>(
            """
            SELECT coalesce(max(row), $after) || '/' || count(*) FROM (
              SELECT row, sum(200 + coalesce(octet_length(name), 0) + coalesce(octet_length(email), 0) + coalesce(octet_length(phone), 0) + coalesce(octet_length(company), 0)
                          + coalesce(octet_length(agent_id), 0) + coalesce(octet_length(notes), 0)) OVER (ORDER BY row) AS bytes, row_number() OVER (ORDER BY row) AS number
              FROM (SELECT * FROM rows WHERE row > $after ORDER BY row LIMIT $limit))
            WHERE bytes <= $bytes OR number = 1
            """,
            ("$after", after), ("$limit", _rows), ("$bytes", merge.Options.TursoBytes))!;
        var end = found.IndexOf('/', StringComparison.Ordinal);
        var (last, rows) = (long.Parse(found.AsSpan(0, end), CultureInfo.InvariantCulture), int.Parse(found.AsSpan(end + 1), CultureInfo.InvariantCulture));
        if (last == after) return (null, null, after, 0);
        const string Found = ", 'contact', found.id, 'wasEmail', found.email, 'wasPhone', found.phone";
        return (Part("found.row IS NULL", ""), merge.Import.Options.OverwriteExisting ? Part("found.row IS NOT NULL", Found) : null, last, rows);

        string? Part(string condition, string more) => staged.Scalar<string>(
            $"""
            SELECT CASE WHEN count(*) > 0 THEN json_group_array(json(item)) END FROM (
              SELECT json_object('id', silo_next_id(), 'name', name, 'email', rows.email, 'phone', rows.phone, 'company', company, 'agent', agent_id, 'notes', notes,
                                 'emailKey', email_key, 'phoneKey', phone_key{more}) AS item
              FROM rows LEFT JOIN found ON found.row = rows.row WHERE rows.row > $after AND rows.row <= $last AND {condition} ORDER BY rows.row)
            """,
            ("$after", after), ("$last", last));
    }

    private TursoStatement Rows(string statement, string rows)
    {
        var arguments = new Dictionary<string, TursoValue>(StringComparer.Ordinal) { ["rows"] = rows, ["now"] = time };
        if (statement.Contains("$organization", StringComparison.Ordinal)) arguments.Add("organization", remote.Organization.Value);
        return new TursoStatement(statement) { NamedArguments = arguments };
    }

    private TursoStatement Counting(string counter, long first) =>
        Of($"UPDATE silo_import_chunks SET {counter} = {counter} + changes() WHERE subject = $subject AND first = $first", ("first", first));

    private TursoStatement Of(string statement, params ReadOnlySpan<(string Name, TursoValue Value)> arguments) => Of(merge.Import.Id, statement, arguments);

    private static TursoStatement Of(string id, string statement, params ReadOnlySpan<(string Name, TursoValue Value)> arguments)
    {
        var named = new Dictionary<string, TursoValue>(StringComparer.Ordinal) { ["subject"] = id };
        foreach (var (name, value) in arguments) named.Add(name, value);
        return new TursoStatement(statement) { NamedArguments = named };
    }

    private static string InsertSql(ContactTable table, string condition)
    {
        var source = $"FROM {Places} WHERE true{condition}";
        if (table.IsOwn)
        {
            return $"""
                INSERT INTO contacts (id, name, email, phone, company, agent_id, created_at, updated_at, email_key, phone_key, notes)
                SELECT {string.Join(", ", ((string[])["$id", "$name", "$email", "$phone", "$company", "$agent", "$now", "$now", "$emailKey", "$phoneKey", "$notes"]).Select(OfRow))}
                {source} ORDER BY silo_place ON CONFLICT DO NOTHING
                """;
        }
        var (columns, values) = LegacyContactSql.Inserted(table, OfRow);
        var free = table.TryGetColumn("email", out var email)
            ? $" AND NOT EXISTS (SELECT 1 FROM contacts WHERE lower({ContactTable.Quote(email.Name)}) = {OfRow("$emailKey")})"
            : "";
        return $"INSERT INTO contacts ({columns}) SELECT {values} {source}{free} ORDER BY silo_place";
    }

    /// <summary>
    /// Rows whose contact is another one by now, or gone: they were matched once, before the first transaction, and others write meanwhile.
    /// They are added like rows that stand for no contact. An older table is not asked about an address that has letters beyond ASCII, which
    /// it cannot compare: such a row is passed over.
    /// </summary>
    private static string IsChanged(ContactTable table) =>
        $"silo_place NOT IN (SELECT silo_place FROM {Places} JOIN contacts ON {IsStill(table)})"
        + (table.IsOwn ? "" : $" AND ({OfRow("$emailKey")} IS NULL OR {OfRow("$emailKey")} NOT GLOB '*[^ -~]*')");

    /// <summary>The contact that the row was matched with, if it still has what it was matched by.</summary>
    private static string IsStill(ContactTable table) =>
        $"{table.IsId.Replace("$id", OfRow("$contact"), StringComparison.Ordinal)} AND "
        + (table.IsOwn
            ? $"email_key IS {OfRow("$emailKey")} AND (email_key IS NOT NULL OR phone_key IS {OfRow("$phoneKey")})"
            : LegacyContactSql.IsOf(table, OfRow));

    private static string UpdateSql(ContactTable table, PendingMerge merge)
    {
        // What the file has no column for stays. The e-mail's key is what was matched by, and still there, so it is the same.
        bool IsSet(string field) => field switch
        {
            "updated_at" => true,
            "name" => merge.Columns.HasName,
            "email" => merge.Columns.Has(ContactColumn.Email),
            "phone" => merge.Columns.Has(ContactColumn.Phone),
            "company" => merge.Columns.Has(ContactColumn.Company),
            "agent_id" => merge.Columns.Has(ContactColumn.AgentId) || merge.Import.Options.AgentId is not null,
            "notes" => merge.Columns.Has(ContactColumn.Notes),
            _ => false,
        };
        var sets = LegacyContactSql.Sets(table, OfRow, IsSet) + (table.IsOwn && IsSet("phone") ? $", phone_key = {OfRow("$phoneKey")}" : "");
        return $"""
            UPDATE contacts SET {sets} FROM (SELECT value AS {Row} FROM json_each($rows)) AS silo_rows
            WHERE {IsStill(table)}
            """;
    }

    private static string OfRow(string parameter) => parameter is "$now" or "$organization" ? parameter : $"({Row} ->> '$.{parameter[1..]}')";

    private static string? Some(ContactColumn column, PendingMerge merge) => merge.Columns.Has(column) ? "" : null;

    private static string? Text(TursoValue value) => value.IsNull ? null : value.AsText();
}
