using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;

namespace Silo.Tests.Storage.Catalog;

public sealed class CatalogMigrationTests : IDisposable
{
    private const string JournalSql = "SELECT ScriptName FROM silo_schema_versions ORDER BY ScriptName";

    private static readonly string[] AllScripts =
    [
        "0001_create_organizations.sql", "0030_add_gcs_sqlite_columns.sql", "0031_create_organization_settings.sql", "0032_create_organization_migrations.sql",
        "0033_add_turso_secret.sql", "0034_create_organization_usage.sql", "0035_create_operator_actions.sql",
    ];

    private readonly CatalogFixture _fixture = new();

    private static CancellationToken Cancellation => CatalogFixture.Cancellation;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Migrate_NewFile_RunsEveryScriptOnceInOrder()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await catalog.MigrateAsync(Cancellation);
        Assert.Equal(AllScripts, _fixture.Sql(JournalSql));
        await catalog.FindAsync(OrganizationId.Parse("acme"), Cancellation);
    }

    [Fact]
    public async Task Migrate_OlderCatalog_KeepsRowsAsTurso()
    {
        _fixture.Sql("""
            CREATE TABLE organizations (created_at TEXT, plan TEXT NOT NULL DEFAULT 'free', name TEXT NOT NULL, id TEXT PRIMARY KEY, turso_url TEXT);
            INSERT INTO organizations (id, name, turso_url, created_at) VALUES
                ('old-1', 'Old one', 'libsql://one.example', '2024-05-06 07:08:09'), ('old-2', 'Old two', NULL, 'long ago');
            """);
        var catalog = await _fixture.OpenMigratedAsync();

        var one = await catalog.FindAsync(OrganizationId.Parse("old-1"), Cancellation);
        Assert.Equal(
            new Organization
            {
                Id = OrganizationId.Parse("old-1"),
                Name = "Old one",
                DbType = OrganizationDbType.Turso,
                TursoUrl = "libsql://one.example",
                CreatedAt = new DateTimeOffset(2024, 5, 6, 7, 8, 9, TimeSpan.Zero),
            },
            one);
        var two = await catalog.FindAsync(OrganizationId.Parse("old-2"), Cancellation);
        Assert.Equal((OrganizationDbType.Turso, null, null), (two!.DbType, two.TursoUrl, two.CreatedAt));
        Assert.Equal(["free|turso"], _fixture.Sql("SELECT DISTINCT plan, db_type FROM organizations"));
        await catalog.AddAsync(OrganizationCatalogTests.New("new"), Cancellation);
        Assert.Empty(_fixture.Warnings);
    }

    [Theory]
    [InlineData("db_type TEXT DEFAULT 'turso', gcs_bucket_name TEXT, gcs_replica_path TEXT, is_db_provisioning INTEGER DEFAULT 0")]
    [InlineData("db_type TEXT DEFAULT 'turso' CHECK(db_type IN ('turso','sqlite')), gcs_bucket_name TEXT")]
    [InlineData("is_db_provisioning INTEGER")]
    public async Task Migrate_OlderCatalogWithSomeColumns_AddsTheOthers(string columns)
    {
        _fixture.Sql($"CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL, {columns}); INSERT INTO organizations (id, name) VALUES ('old', 'Old')");
        var catalog = await _fixture.OpenMigratedAsync();

        Assert.Equal(AllScripts, _fixture.Sql(JournalSql));
        Assert.Equal(OrganizationDbType.Turso, (await catalog.FindAsync(OrganizationId.Parse("old"), Cancellation))!.DbType);
        var added = await catalog.AddAsync(OrganizationCatalogTests.New("new"), Cancellation);
        Assert.Equal(added, await catalog.FindAsync(added.Id, Cancellation));
    }

    [Fact]
    public async Task Migrate_RowsWithForeignIds_AreKeptNotServedAndCountedInOneWarning()
    {
        _fixture.Sql("""
            CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL);
            INSERT INTO organizations VALUES ('Upper', 'x'), ('../etc', 'x'), (NULL, 'x'), ('b', 'good'), ('a', 'good'), ('b!', 'x');
            """);
        var catalog = await _fixture.OpenMigratedAsync();

        Assert.Contains(" 4 rows ", Assert.Single(_fixture.Warnings), StringComparison.Ordinal);
        Assert.Equal(["6"], _fixture.Sql("SELECT count(*) FROM organizations"));
        var first = await catalog.ListAsync(null, null, 1, Cancellation);
        var second = await catalog.ListAsync(null, first.NextCursor, 1, Cancellation);
        Assert.Equal(["a", "b"], first.Items.Concat(second.Items).Select(organization => organization.Id.Value));
        Assert.Null(second.NextCursor);
    }

    [Fact]
    public async Task Migrate_IntegerIds_AreServed()
    {
        _fixture.Sql("CREATE TABLE organizations (id INTEGER PRIMARY KEY, name TEXT NOT NULL); INSERT INTO organizations VALUES (7, 'Seven'), (12, 'Twelve')");
        var catalog = await _fixture.OpenMigratedAsync();
        Assert.Equal("Seven", (await catalog.FindAsync(OrganizationId.Parse("7"), Cancellation))!.Name);
        var page = await catalog.ListAsync(null, "7", 10, Cancellation);
        Assert.Equal("12", Assert.Single(page.Items).Id.Value);
    }

    [Fact]
    public async Task Migrate_ManyStartsAtOnce_RunEveryScriptOnce()
    {
        _fixture.Sql("CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL); INSERT INTO organizations VALUES ('old', 'Old')");
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => _fixture.OpenMigratedAsync()));
        Assert.Equal(AllScripts, _fixture.Sql(JournalSql));
        Assert.Equal(["old|turso"], _fixture.Sql("SELECT id, db_type FROM organizations"));
    }

    [Fact]
    public async Task Migrate_WhileOtherStartIsInTheMiddle_WaitsForIt()
    {
        using var other = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_fixture.File};Pooling=False");
        other.Open();
        using (var wal = other.CreateCommand())
        {
            wal.CommandText = "PRAGMA journal_mode = WAL";
            wal.ExecuteNonQuery();
        }

        Task<OrganizationCatalog> waiting;
        using (var transaction = other.BeginTransaction())
        {
            waiting = _fixture.OpenMigratedAsync();
            using var create = other.CreateCommand();
            create.CommandText = "CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL); INSERT INTO organizations VALUES ('old', 'Old')";
            create.ExecuteNonQuery();
            Assert.False(waiting.IsCompleted);
            transaction.Commit();
        }

        await (await waiting).FindAsync(OrganizationId.Parse("acme"), Cancellation);
        Assert.Equal(["old|turso"], _fixture.Sql("SELECT id, db_type FROM organizations"));
    }

    [Fact]
    public async Task Migrate_FailingInTheMiddle_LeavesTheFileAsItWas()
    {
        // A column without a name of its own in the way of the last script: 0001 and 0030 have run by then.
        _fixture.Sql("CREATE TABLE organization_settings (x TEXT); CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL)");
        var failure = await Assert.ThrowsAsync<CatalogException>(_fixture.OpenMigratedAsync);
        Assert.Equal(CatalogFailure.Unexpected, failure.Failure);
        Assert.Equal(["organization_settings", "organizations"], _fixture.Sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"));
        Assert.Equal(["id", "name"], _fixture.Sql("SELECT name FROM pragma_table_info('organizations')"));

        _fixture.Sql("DROP TABLE organization_settings");
        await _fixture.OpenMigratedAsync();
        Assert.Equal(AllScripts, _fixture.Sql(JournalSql));
    }

    [Fact]
    public async Task Migrate_DbTypeOtherThanTheTwo_IsRefusedByTheTable()
    {
        await _fixture.OpenMigratedAsync();
        var refusal = Assert.Throws<Microsoft.Data.Sqlite.SqliteException>(() =>
            _fixture.Sql("INSERT INTO organizations (id, name, db_type) VALUES ('x', 'X', 'mysql')"));
        Assert.Contains("CHECK", refusal.Message, StringComparison.Ordinal);
    }
}
