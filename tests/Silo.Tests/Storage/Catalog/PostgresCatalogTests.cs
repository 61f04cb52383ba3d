using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Catalog;

/// <summary>The same catalog in a real PostgreSQL.</summary>
public sealed class PostgresCatalogTests : IAsyncLifetime
{
    private readonly List<OrganizationCatalog> _catalogs = [];
    private PostgresServer _server = null!; // InitializeAsync
    private string _connection = ""; // InitializeAsync

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await PostgresServer.StartNewAsync();
        _connection = await _server.DatabaseAsync("catalog");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var catalog in _catalogs) catalog.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Migrate_ByManyAtOnce_RunsEveryScriptOnce()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Open().MigrateAsync(Token)));
        Assert.Equal("7", await SqlAsync("SELECT count(*) FROM silo_schema_versions"));
        await Open().FindAsync(OrganizationId.Parse("acme"), Token);
    }

    [Fact]
    public async Task Add_Find_List_AnswerAsOnSqlite()
    {
        var catalog = Open();
        await catalog.MigrateAsync(Token);
        var added = await catalog.AddAsync(New("acme"), Token);
        var turso = await catalog.AddAsync(new NewOrganization(OrganizationId.Parse("old"), "Old", OrganizationDbType.Turso, "libsql://old.example", Durability.Replicated), Token);
        foreach (var id in (string[])["b", "c", "d"]) await catalog.AddAsync(New(id), Token);

        Assert.Equal(added, await catalog.FindAsync(added.Id, Token));
        Assert.Equal(turso, await catalog.FindAsync(turso.Id, Token));
        Assert.Null(await catalog.FindAsync(OrganizationId.Parse("nobody"), Token));
        var first = await catalog.ListAsync(null, null, 2, Token);
        Assert.Equal(("acme b", "b"), (string.Join(' ', first.Items.Select(item => item.Id.Value)), first.NextCursor));
        var last = await catalog.ListAsync(null, "c", 2, Token);
        Assert.Equal(("d old", null), (string.Join(' ', last.Items.Select(item => item.Id.Value)), last.NextCursor));
        Assert.Equal(["old"], (await catalog.ListAsync(OrganizationDbType.Turso, null, 10, Token)).Items.Select(item => item.Id.Value));
        Assert.Equal(OrganizationErrorCode.OrganizationExists, (await Assert.ThrowsAsync<OrganizationException>(() => catalog.AddAsync(New("acme"), Token))).Code);
    }

    [Fact]
    public async Task Add_SameIdByManyAtOnce_IsThereOnce()
    {
        var catalog = Open();
        await catalog.MigrateAsync(Token);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                await catalog.AddAsync(New("acme"), Token);
                return "added";
            }
            catch (OrganizationException e) when (e.Code == OrganizationErrorCode.OrganizationExists)
            {
                return "exists";
            }
        }));
        Assert.Single(outcomes, "added");
    }

    [Fact]
    public async Task Migrate_OlderTable_KeepsItsRowsAsTurso()
    {
        await SqlAsync("""
            CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, turso_url text, created_at timestamptz, is_db_provisioning boolean DEFAULT false);
            INSERT INTO organizations VALUES ('old', 'Old', 'libsql://old.example', '2024-05-06 07:08:09+00', true), ('Bad Id', 'x', NULL, NULL, false), ('new', 'New', NULL, NULL, NULL)
            """);
        var catalog = Open();
        await catalog.MigrateAsync(Token);
        var old = (await catalog.FindAsync(OrganizationId.Parse("old"), Token))!;
        Assert.Equal((OrganizationDbType.Turso, "libsql://old.example", true), (old.DbType, old.TursoUrl, old.IsDbProvisioning));
        Assert.Equal(new DateTimeOffset(2024, 5, 6, 7, 8, 9, TimeSpan.Zero), old.CreatedAt);
        Assert.Equal(["new", "old"], (await catalog.ListAsync(null, null, 2, Token)).Items.Select(item => item.Id.Value));
        Assert.False((await catalog.FindAsync(OrganizationId.Parse("new"), Token))!.IsDbProvisioning);
    }

    [Fact]
    public async Task Migrations_AreMovedAndEndedAsOnSqlite()
    {
        await SqlAsync("CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, is_db_provisioning integer DEFAULT 0)");
        foreach (var story in (Func<OrganizationCatalog, Task>[])[MigrationStory.ThereAndBackAsync, MigrationStory.EndsAsync, MigrationStory.ManyAtOnceAsync])
        {
            var catalog = Open();
            await catalog.MigrateAsync(Token);
            await story(catalog);
            await SqlAsync("TRUNCATE organizations, organization_settings, organization_migrations");
        }
    }

    [Fact]
    public async Task Freeze_InAnOlderTableWithABoolean_IsSetAndTakenBack()
    {
        await SqlAsync("""
            CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, turso_url text, is_db_provisioning boolean DEFAULT false);
            INSERT INTO organizations VALUES ('old', 'Old', 'libsql://old.example', NULL)
            """);
        var catalog = Open();
        await catalog.MigrateAsync(Token);
        var old = OrganizationId.Parse("old");
        Assert.True(await catalog.BeginMigrationAsync(old, "one", MigrationKind.Migrate, MigrationStory.Stale, Token));
        Assert.True(await catalog.FreezeAsync(old, "one", OrganizationDbType.Turso, Token));
        Assert.True((await catalog.FindAsync(old, Token))!.IsDbProvisioning);
        Assert.True(await catalog.FlipToSqliteAsync(old, "one", "bucket", "path", new MigrationReport(), Token));
        Assert.False((await catalog.FindAsync(old, Token))!.IsDbProvisioning);
        Assert.False((await catalog.AddAsync(New("acme"), Token)).IsDbProvisioning);
    }

    [Fact]
    public async Task Find_ServerAway_SaysWhatToDoAndWorksWhenItIsBack()
    {
        var catalog = Open();
        await catalog.MigrateAsync(Token);
        var added = await catalog.AddAsync(New("acme"), Token);
        await _server.StopAsync();
        var failure = await Assert.ThrowsAsync<CatalogException>(() => catalog.FindAsync(added.Id, Token));
        Assert.Equal(CatalogFailure.Unreachable, failure.Failure);
        Assert.Contains("Check that PostgreSQL runs there", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(PostgresServer.Password, failure.ToString(), StringComparison.Ordinal);
        await _server.StartAsync();
        Assert.Equal(added, await catalog.FindAsync(added.Id, Token));
    }

    [Fact]
    public async Task Usage_IsAddedAndListedAsOnSqlite()
    {
        var catalog = Open();
        await catalog.MigrateAsync(Token);
        await UsageStory.AddsAsync(catalog);
        await UsageStory.ManyAtOnceAsync(catalog);
    }

    private static NewOrganization New(string id) => new(OrganizationId.Parse(id), id, OrganizationDbType.Sqlite, null, null);

    private OrganizationCatalog Open()
    {
        var catalog = new OrganizationCatalog(
            Options.Create(new CatalogOptions { Connection = _connection }), Options.Create(new GcsOptions { BucketName = "test-bucket" }), Options.Create(new DatabaseOptions()),
            TimeProvider.System, NullLogger<OrganizationCatalog>.Instance);
        _catalogs.Add(catalog);
        return catalog;
    }

    private async Task<string?> SqlAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_connection + ";Pooling=false");
        await connection.OpenAsync(Token);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (await command.ExecuteScalarAsync(Token))?.ToString();
    }
}
