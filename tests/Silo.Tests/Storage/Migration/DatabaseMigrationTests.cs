using Silo.Storage.Migration;
using Silo.Storage.Sqlite;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Migration;

public sealed class DatabaseMigrationTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private readonly MigrationBench _bench = new();

    private static CancellationToken Cancellation => MigrationBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Database_WithEverythingAwkward_IsTheSameAfterwardsAndIsProvenSo()
    {
        var source = await _bench.Turso.CreateAsync(fixture.Sqld);
        await AwkwardDatabase.FillAsync(source, Cancellation);
        using var migration = _bench.Begin(source);

        var preflight = await migration.InspectAsync(Cancellation);
        Assert.Empty(preflight.Problems);
        Assert.InRange(preflight.Tables.Count, 20, 60);
        Assert.InRange(preflight.Bytes, 8_000_000, 50_000_000);

        var progress = new List<MigrationProgress>();
        var pass = await migration.CopyAsync(progress.Add, Cancellation);
        Assert.Equal(preflight.Rows, pass.Rows);
        Assert.Equal(pass.Rows, progress[^1].Rows);
        var second = await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.Equal(pass.Rows, second.Rows);

        var verification = await migration.VerifyAsync(null, Cancellation);
        Assert.Empty(verification.Differences);
        Assert.Equal(preflight.Tables.Select(table => (table.Table, table.Rows)), verification.Tables.Select(table => (table.Table, table.Source.Rows)));
        Assert.Equal(verification.Tables.Select(table => table.Source), verification.Tables.Select(table => table.Copy));

        migration.Adopt();
        await AssertAdoptedAsync(source);
    }

    private async Task AssertAdoptedAsync(TursoDatabase source)
    {
        using var copy = _bench.Open();
        // Seen with SQL's own eyes on both sides, not with those of the code that copied.
        foreach (var (there, here) in new[]
        {
            ("SELECT group_concat(rowid || typeof(v) || CASE typeof(v) WHEN 'real' THEN '' ELSE hex(CAST(v AS BLOB)) END, '|') FROM (SELECT n AS rowid, v FROM anything ORDER BY n)", null),
            ("SELECT group_concat(n || hex(CAST(v AS BLOB)), '|') FROM (SELECT * FROM broken_texts ORDER BY n)", null),
            ("SELECT group_concat(n || (v > 0) || (v < -1e308) || (1 / v > 0), '|') FROM (SELECT * FROM infinities ORDER BY n)", null),
            ("SELECT group_concat(rowid || ' ' || id || v, '|') FROM (SELECT rowid, * FROM not_an_alias ORDER BY rowid)", null),
            ("SELECT group_concat(a || ',' || c || d || e, '|') FROM (SELECT * FROM generated ORDER BY rowid)", null),
            ("SELECT group_concat(rowid || title, '|') FROM (SELECT rowid, title FROM documents WHERE documents MATCH 'word7 OR title' ORDER BY rank, rowid)", null),
            ("SELECT group_concat(id, '|') FROM (SELECT id FROM places WHERE x0 > 3 AND y1 < 30 ORDER BY id)", null),
            ("SELECT group_concat(name || seq, '|') FROM (SELECT * FROM sqlite_sequence ORDER BY rowid)", null),
            ("SELECT group_concat(rowid || id || name || coalesce(email, '-') || score, '|') FROM (SELECT rowid, * FROM contacts ORDER BY rowid)", "contacts_before_silo"),
        })
        {
            var wanted = (await source.QueryAsync(new TursoStatement(there), Cancellation)).Rows.Single().Single();
            Assert.Equal(wanted.IsNull ? null : wanted.AsText(), copy.Scalar<string>(here is null ? there : there.Replace("contacts", here, StringComparison.Ordinal)));
        }
        Assert.Equal(300, copy.Scalar<long>("SELECT count(*) FROM contacts"));
        Assert.Equal(source.Organization.Value, copy.Scalar<string>("SELECT value FROM silo_meta WHERE key = 'organization_id'"));
        Assert.Equal("ok", copy.Scalar<string>("PRAGMA integrity_check"));

        // Compared again later, while the organization works with it.
        copy.Execute("PRAGMA journal_mode = WAL; INSERT INTO contacts (id, name, created_at, updated_at) VALUES ('new', 'n', 't', 't'); CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY)");
        var later = await VerifyLaterAsync(source);
        Assert.Empty(later.Differences);
        copy.Execute("UPDATE contacts_before_silo SET phone = '0' WHERE rowid = 1");
        Assert.Contains("contacts", Assert.Single((await VerifyLaterAsync(source)).Differences), StringComparison.Ordinal);
        copy.Execute("DROP VIEW companies; UPDATE silo_meta SET value = '8' WHERE key = 'source_user_version'");
        Assert.Equal(3, (await VerifyLaterAsync(source)).Differences.Count);
    }

    [Fact]
    public async Task Rows_ThatChangedDuringTheCopy_AreCaughtUpWith()
    {
        var source = await _bench.CreateAsync(fixture.Sqld, """
            CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE);
            CREATE TABLE unique_later (n INTEGER PRIMARY KEY, v INTEGER);
            CREATE UNIQUE INDEX unique_later_v ON unique_later (v);
            CREATE TABLE changes (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
            CREATE TRIGGER contacts_log AFTER UPDATE ON contacts BEGIN INSERT INTO changes (what) VALUES (old.id); END;
            WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500) INSERT INTO contacts SELECT 'c' || n, 'name', n || '@example.org' FROM n;
            INSERT INTO unique_later SELECT rowid, rowid FROM contacts;
            """);
        using var migration = _bench.Begin(source);
        // Between the chunks of one pass the source is changed, under the very rows that were read already and those to come.
        var changes = new Queue<string>(
        [
            "UPDATE contacts SET email = 'moved' || email WHERE rowid IN (4, 490)", "UPDATE contacts SET email = '4@example.org' WHERE rowid = 480",
            "DELETE FROM contacts WHERE rowid BETWEEN 20 AND 60", "INSERT INTO contacts VALUES ('late', 'late', '20@example.org')", "DELETE FROM contacts WHERE rowid > 495",
            "UPDATE unique_later SET v = -v WHERE n IN (1, 400); UPDATE unique_later SET v = 1 WHERE n = 400; UPDATE unique_later SET v = 400 WHERE n = 1",
        ]);
        var applied = Task.CompletedTask;
        async Task ApplyAsync(Task before, string sql)
        {
            await before;
            await source.ExecuteScriptAsync(sql, Cancellation);
        }
        void Change(MigrationProgress at)
        {
            if (at.Rows % 70 == 0 && changes.TryDequeue(out var sql)) applied = ApplyAsync(applied, sql);
        }
        await migration.CopyAsync(Change, Cancellation);
        await applied;
        while (changes.TryDequeue(out var sql)) await source.ExecuteScriptAsync(sql, Cancellation);

        await migration.CatchUpAsync(isFrozen: false, null, Cancellation);
        await source.ExecuteScriptAsync("UPDATE contacts SET name = 'last' WHERE rowid = 7; PRAGMA user_version = 9", Cancellation);
        var last = await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.Contains("contacts", last.ChangedTables);
        Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
        Assert.Empty((await migration.CatchUpAsync(isFrozen: true, null, Cancellation)).ChangedTables);
        Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
    }

    [Theory]
    [InlineData("ALTER TABLE t ADD COLUMN b")]
    [InlineData("CREATE TABLE u (a)")]
    [InlineData("CREATE INDEX i ON t (a)")]
    public async Task Schema_ThatChangedDuringTheCopy_NeedsAnotherCopy(string change)
    {
        var source = await _bench.CreateAsync(fixture.Sqld, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
        using var migration = _bench.Begin(source);
        await migration.CopyAsync(null, Cancellation);
        await source.ExecuteScriptAsync(change, Cancellation);
        var failure = await Assert.ThrowsAsync<MigrationException>(() => migration.CatchUpAsync(isFrozen: true, null, Cancellation));
        Assert.Equal(MigrationFailure.SchemaChanged, failure.Failure);
        await migration.CopyAsync(null, Cancellation);
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
    }

    [Theory]
    [InlineData("CREATE TABLE t (a F32_BLOB(3)); CREATE INDEX i ON t (libsql_vector_idx(a))", "index i")]
    [InlineData("CREATE TABLE t (a) RANDOM ROWID", "table t")]
    [InlineData("CREATE TABLE silo_meta (a)", "silo_meta")]
    [InlineData("CREATE TABLE contacts_before_silo (a)", "contacts_before_silo")]
    [InlineData("CREATE TABLE t (rowid TEXT, _rowid_ TEXT, oid TEXT)", "table t")]
    [InlineData("CREATE VIEW contacts AS SELECT 1", "contacts")]
    public async Task Preflight_OfWhatSqliteOrWeDoNotTake_SaysSo(string script, string named)
    {
        var source = await _bench.CreateAsync(fixture.Sqld, script);
        var preflight = await _bench.Begin(source).InspectAsync(Cancellation);
        Assert.Contains(preflight.Problems, problem => problem.Contains(named, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Database_WithoutAnything_IsMigratedToo()
    {
        using var migration = _bench.Begin(await _bench.Turso.CreateAsync(fixture.Sqld));
        await migration.CopyAsync(null, Cancellation);
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.True((await migration.VerifyAsync(null, Cancellation)).IsSame);
        migration.Adopt();
        using var copy = _bench.Open();
        Assert.Equal(0, copy.Scalar<long>("SELECT count(*) FROM contacts"));
    }

    /// <summary>An organization that this system served on Turso has tables of ours there.</summary>
    [Fact]
    public async Task Database_WithTablesOfOurOwn_KeepsItsContactsAndItsAuditTrail()
    {
        var source = await _bench.CreateAsync(fixture.Sqld, """
            CREATE TABLE contacts (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, email TEXT, phone TEXT, company TEXT, agent_id TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
              email_key TEXT, phone_key TEXT, notes TEXT) STRICT;
            CREATE UNIQUE INDEX silo_contacts_id ON contacts (id);
            CREATE INDEX silo_email_lower ON contacts (lower(email));
            CREATE UNIQUE INDEX silo_contacts_email ON contacts (email_key) WHERE email_key IS NOT NULL;
            CREATE TABLE silo_audit (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, user TEXT, source TEXT, outcome TEXT NOT NULL, details TEXT NOT NULL) STRICT;
            CREATE UNIQUE INDEX silo_audit_subject ON silo_audit (action, subject);
            CREATE TRIGGER silo_audit_update BEFORE UPDATE ON silo_audit BEGIN SELECT RAISE(ABORT, 'only added to'); END;
            CREATE TABLE silo_import_chunks (subject TEXT NOT NULL, first INTEGER NOT NULL);
            INSERT INTO contacts (id, name, email, email_key, created_at, updated_at) VALUES ('a', 'A', 'a@example.org', 'a@example.org', 't', 't'), ('b', 'B', NULL, NULL, 't', 't');
            INSERT INTO silo_audit VALUES (7, 't', 'import', 's', NULL, NULL, 'completed', '{}');
            """);
        using var migration = _bench.Begin(source);
        Assert.Empty((await migration.InspectAsync(Cancellation)).Problems);
        await migration.CopyAsync(null, Cancellation);
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
        migration.Adopt();
        using (var copy = _bench.Open())
        {
            copy.Execute("PRAGMA journal_mode = WAL");
            Assert.Equal("7 import", copy.Scalar<string>("SELECT seq || ' ' || action FROM silo_audit"));
            Assert.Equal("a,b", copy.Scalar<string>("SELECT group_concat(id) FROM (SELECT id FROM contacts ORDER BY seq)"));
            copy.Execute("INSERT INTO silo_audit (at, action, subject, outcome, details) VALUES ('t', 'import', 'later', 'completed', '{}')");
        }
        Assert.Empty((await VerifyLaterAsync(source)).Differences);
    }

    [Fact]
    public async Task Reference_ToARowThatIsNotThere_IsNoDifference()
    {
        var source = await _bench.CreateAsync(fixture.Sqld, "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id)); INSERT INTO c VALUES (1)");
        using var migration = _bench.Begin(source);
        await migration.CopyAsync(null, Cancellation);
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        var verification = await migration.VerifyAsync(null, Cancellation);
        Assert.Empty(verification.Differences);
        Assert.Contains("1 rows refer", Assert.Single(verification.Notes), StringComparison.Ordinal);
    }

    private Task<MigrationVerification> VerifyLaterAsync(TursoDatabase source) =>
        DatabaseMigration.VerifyLaterAsync(source, _bench.PathOf("copy"), _bench.Options, TimeProvider.System, null, Cancellation);
}
