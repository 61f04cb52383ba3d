using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;

namespace Silo.Tests.Storage.Catalog;

public sealed class OrganizationCatalogTests : IDisposable
{
    private readonly CatalogFixture _fixture = new();

    private static CancellationToken Cancellation => CatalogFixture.Cancellation;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Add_SqliteOrganization_GetsBucketAndReplicaPath()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var added = await catalog.AddAsync(New("acme", durability: Durability.Replicated), Cancellation);

        Assert.Equal(added, await catalog.FindAsync(added.Id, Cancellation));
        Assert.Equal("litestream-replicas/acme", added.GcsReplicaPath);
        Assert.Equal("test-bucket", added.GcsBucketName);
        Assert.Equal(Durability.Replicated, added.Durability);
        Assert.Equal(_fixture.Time.GetUtcNow(), added.CreatedAt);
        Assert.False(added.IsDbProvisioning);
        Assert.Equal(["acme|sqlite|test-bucket|litestream-replicas/acme|0"],
            _fixture.Sql("SELECT id, db_type, gcs_bucket_name, gcs_replica_path, is_db_provisioning FROM organizations"));
    }

    [Fact]
    public async Task Dispose_AfterUse_LeavesNoConnectionOpen()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await catalog.AddAsync(New("acme"), Cancellation);
        Assert.Contains(_fixture.File, OpenFiles());

        catalog.Dispose();

        Assert.DoesNotContain(_fixture.File, OpenFiles());

        static IEnumerable<string?> OpenFiles() => Directory.GetFiles("/proc/self/fd").Select(file => new FileInfo(file).LinkTarget);
    }

    [Fact]
    public async Task Add_TursoOrganization_KeepsItsAddress()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await catalog.AddAsync(New("old", OrganizationDbType.Turso, "libsql://old.example"), Cancellation);

        var found = await catalog.FindAsync(OrganizationId.Parse("old"), Cancellation);
        Assert.Equal(("libsql://old.example", OrganizationDbType.Turso, null), (found!.TursoUrl, found.DbType, found.GcsReplicaPath));
    }

    [Fact]
    public async Task Add_IdTaken_IsRefusedAndChangesNothing()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var first = await catalog.AddAsync(New("acme"), Cancellation);

        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => catalog.AddAsync(New("acme") with { Name = "Other" }, Cancellation));
        Assert.Equal(OrganizationErrorCode.OrganizationExists, refusal.Code);
        Assert.Equal(first, await catalog.FindAsync(first.Id, Cancellation));
    }

    [Fact]
    public async Task Add_SameIdManyTimesAtOnce_AddsOne()
    {
        await _fixture.OpenMigratedAsync();
        var catalogs = Enumerable.Range(0, 4).Select(_ => _fixture.Open()).ToList();
        var tries = catalogs.Select(async catalog =>
        {
            try
            {
                await catalog.AddAsync(New("acme"), Cancellation);
                return true;
            }
            catch (OrganizationException refusal) when (refusal.Code == OrganizationErrorCode.OrganizationExists)
            {
                return false;
            }
        });
        Assert.Single(await Task.WhenAll(tries), added => added);
    }

    [Theory]
    [InlineData("", OrganizationDbType.Sqlite, null, "name")]
    [InlineData("  ", OrganizationDbType.Sqlite, null, "name")]
    [InlineData("a\0b", OrganizationDbType.Sqlite, null, "name")]
    [InlineData("Acme", OrganizationDbType.Sqlite, "libsql://a.example", "tursoUrl")]
    [InlineData("Acme", OrganizationDbType.Turso, null, "tursoUrl")]
    [InlineData("Acme", OrganizationDbType.Turso, "ftp://a.example", "tursoUrl")]
    [InlineData("Acme", OrganizationDbType.Turso, "a.example", "tursoUrl")]
    [InlineData("Acme", OrganizationDbType.Turso, "libsql://user:secret@a.example", "tursoUrl")]
    [InlineData("Acme", OrganizationDbType.Turso, "libsql://a.example?authToken=secret", "tursoUrl")]
    [InlineData("Acme", (OrganizationDbType)7, null, "dbType")]
    public async Task Add_BrokenField_IsRefusedByName(string name, OrganizationDbType dbType, string? tursoUrl, string field)
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() =>
            catalog.AddAsync(new NewOrganization(OrganizationId.Parse("acme"), name, dbType, tursoUrl, Durability.Local), Cancellation));
        Assert.Equal(OrganizationErrorCode.ValidationFailed, refusal.Code);
        Assert.Equal([field], refusal.Errors!.Keys);
    }

    [Fact]
    public async Task Add_NameOf200And201Characters_TakesAndRefuses()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await catalog.AddAsync(New("a") with { Name = new string('é', 200) }, Cancellation);
        await Assert.ThrowsAsync<OrganizationException>(() => catalog.AddAsync(New("b") with { Name = new string('é', 201) }, Cancellation));
    }

    [Fact]
    public async Task Add_NameWithHalfOfAPair_IsRefused()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await catalog.AddAsync(New("a") with { Name = "\ud83d\ude00" }, Cancellation);
        await Assert.ThrowsAsync<OrganizationException>(() => catalog.AddAsync(New("b") with { Name = "\ud83d" }, Cancellation));
    }

    [Fact]
    public async Task Durability_NotSaid_IsTheDefaultOfTheService()
    {
        await (await _fixture.OpenMigratedAsync()).AddAsync(New("said") with { Durability = Durability.Local }, Cancellation);
        _fixture.Sql("INSERT INTO organizations (id, name) VALUES ('older', 'Older')");
        var catalog = _fixture.Open(byDefault: Durability.Replicated);
        await catalog.AddAsync(New("unsaid") with { Durability = null }, Cancellation);
        foreach (var (id, durability) in new[] { ("said", Durability.Local), ("older", Durability.Replicated), ("unsaid", Durability.Replicated) })
            Assert.Equal(durability, (await catalog.FindAsync(OrganizationId.Parse(id), Cancellation))!.Durability);
    }

    [Fact]
    public async Task Find_Unknown_IsNull()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        Assert.Null(await catalog.FindAsync(OrganizationId.Parse("nobody"), Cancellation));
    }

    [Fact]
    public async Task Find_AddedByOtherProcess_IsSeen()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var id = OrganizationId.Parse("late");
        Assert.Null(await catalog.FindAsync(id, Cancellation));
        await _fixture.Open().AddAsync(New("late"), Cancellation);
        Assert.NotNull(await catalog.FindAsync(id, Cancellation));
    }

    [Fact]
    public async Task Find_WhileOtherProcessHoldsWriteLock_DoesNotWait()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var added = await catalog.AddAsync(New("acme"), Cancellation);
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_fixture.File};Pooling=False");
        connection.Open();
        using var transaction = connection.BeginTransaction();
        Assert.Equal(added, await catalog.FindAsync(added.Id, Cancellation));
    }

    [Fact]
    public async Task Find_ManyAtOnce_AllAnswered()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        for (var i = 0; i < 10; i++) await catalog.AddAsync(New($"org-{i}"), Cancellation);
        var found = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => catalog.FindAsync(OrganizationId.Parse($"org-{i % 10}"), Cancellation)));
        Assert.All(found.Select((organization, i) => (organization, i)), row => Assert.Equal($"org-{row.i % 10}", row.organization!.Id.Value));
    }

    [Fact]
    public async Task List_PageAfterPage_IsAllByIdOnce()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        string[] ids = ["d", "a", "c", "e", "b"];
        foreach (var id in ids) await catalog.AddAsync(New(id), Cancellation);
        await catalog.AddAsync(New("bb", OrganizationDbType.Turso, "http://127.0.0.1:8080"), Cancellation);

        Assert.Equal("a b bb c d e", await WalkAsync(catalog, null, 2));
        Assert.Equal("a b bb c d e", await WalkAsync(catalog, null, 6));
        Assert.Equal("a b c d e", await WalkAsync(catalog, OrganizationDbType.Sqlite, 3));
        Assert.Equal("bb", await WalkAsync(catalog, OrganizationDbType.Turso, 1));
    }

    [Fact]
    public async Task List_CursorThatIsNone_IsRefused()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => catalog.ListAsync(null, "../x", 10, Cancellation));
        Assert.Equal(OrganizationErrorCode.InvalidRequest, refusal.Code);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => catalog.ListAsync(null, null, 0, Cancellation));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => catalog.ListAsync(null, null, 501, Cancellation));
    }

    internal static NewOrganization New(
        string id, OrganizationDbType dbType = OrganizationDbType.Sqlite, string? tursoUrl = null, Durability durability = Durability.Local) =>
        new(OrganizationId.Parse(id), $"Organization {id}", dbType, tursoUrl, durability);

    private static async Task<string> WalkAsync(OrganizationCatalog catalog, OrganizationDbType? dbType, int limit)
    {
        List<string> ids = [];
        string? cursor = null;
        do
        {
            var page = await catalog.ListAsync(dbType, cursor, limit, Cancellation);
            Assert.InRange(page.Items.Count, 1, limit);
            ids.AddRange(page.Items.Select(organization => organization.Id.Value));
            cursor = page.NextCursor;
        }
        while (cursor is not null);
        return string.Join(' ', ids);
    }
}
