using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Copies;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Tests.Storage.Catalog;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Copies;

/// <summary>A copy is an organization of its own, whole or not there at all; the one that it was made of is only read.</summary>
public sealed class OrganizationCopiesTests : IDisposable
{
    private static readonly OrganizationId Target = OrganizationId.Parse("copy");

    private readonly CatalogFixture _catalog = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _catalog.Dispose();

    [Fact]
    public async Task Make_OfAMomentOfAnOpenOrganization_IsAnotherOneAndTouchesNothingOfIt()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        await using var source = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await AddAsync(source, 10);
        var at = await LastUploadAsync(bench);
        await AddAsync(source, 20);
        await source.FlushAsync(Token);
        var (objects, head) = (await ObjectsAsync(bench), await bench.HeadAsync(DatabaseBench.Demo));

        var made = await Copies(bench.Silo("b"), bench, catalog).MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token);

        Assert.Equal((10, 1, head.Current!.Generation), (made!.Contacts, made.Epoch, made.Generation));
        var row = (await catalog.FindAsync(Target, Token))!;
        Assert.Equal(("The copy", OrganizationDbType.Sqlite, Durability.Local, "test-bucket"), (row.Name, row.DbType, row.Durability, row.GcsBucketName));
        await using (var copy = await DatabaseBench.OpenAsync(bench.Silo("c"), row))
        {
            Assert.Equal(10, await CountAsync(copy));
            await AddAsync(copy, 1);
            await copy.CloseAsync(Token);
        }
        await using (var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("d"), row))
        {
            Assert.Equal(11, await CountAsync(elsewhere));
            await elsewhere.CloseAsync(Token);
        }
        // On a slow machine the open one has renewed its lease meanwhile, and added a mark.
        Assert.Subset((await ObjectsAsync(bench)).ToHashSet(), objects.ToHashSet());
        Assert.Equal((head.Epoch, head.Current, head.Owner), ((await bench.HeadAsync(DatabaseBench.Demo)) is var now ? (now.Epoch, now.Current, now.Owner) : default));
        Assert.Equal(30, await CountAsync(source));
        await AddAsync(source, 1);
        Assert.Empty(Directory.EnumerateFiles(bench.Folder["b"], "*.db", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Make_InTheSameWordsAgain_IsTheOneThatIsThere()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        var at = await SourceAsync(bench, silo);
        var copies = Copies(silo, bench, catalog);
        Assert.NotNull(await copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token));
        await using (var copy = await DatabaseBench.OpenAsync(silo, (await catalog.FindAsync(Target, Token))!))
        {
            await AddAsync(copy, 5);
            await copy.CloseAsync(Token);
        }
        Assert.Null(await copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token));
        await using (var copy = await DatabaseBench.OpenAsync(silo, (await catalog.FindAsync(Target, Token))!)) Assert.Equal(15, await CountAsync(copy));

        // Of another moment it would be another one.
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => copies.MakeAsync(DatabaseBench.Demo, at.AddSeconds(1), New(Target), dryRun: false, Token));
        Assert.Equal(OrganizationErrorCode.OrganizationExists, refusal.Code);
    }

    [Fact]
    public async Task Make_OfAnIdThatIsTaken_ChangesNothing()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        var at = await SourceAsync(bench, silo);
        var copies = Copies(silo, bench, catalog);
        await catalog.AddAsync(New("taken"), Token);
        // The bucket knows of an organization that this catalog does not.
        await using (var stranger = await DatabaseBench.OpenAsync(silo, DatabaseBench.Org("stranger"))) await stranger.CloseAsync(Token);
        foreach (var id in (string[])["taken", "stranger"])
        {
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => copies.MakeAsync(DatabaseBench.Demo, at, New(id), dryRun: false, Token));
            Assert.Equal(OrganizationErrorCode.OrganizationExists, refusal.Code);
        }
        Assert.Null(await catalog.FindAsync(OrganizationId.Parse("stranger"), Token));
        Assert.Empty(await ObjectsAsync(bench, CopyPath.Root));
    }

    [Fact]
    public async Task Make_DryRunOrOfAMomentThatCannotBeHad_ChangesNothing()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        var at = await SourceAsync(bench, silo);
        var copies = Copies(silo, bench, catalog);
        Assert.Equal(10, (await copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: true, Token))!.Contacts);
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => copies.MakeAsync(DatabaseBench.Demo, at.AddHours(-1), New(Target), dryRun: false, Token));
        Assert.Equal(OrganizationErrorCode.RestorePointNotFound, refusal.Code);
        Assert.Contains("its oldest is of", refusal.Message, StringComparison.Ordinal);
        Assert.Null(await catalog.FindAsync(Target, Token));
        Assert.Empty(await ObjectsAsync(bench, CopyPath.Root));
    }

    [Fact]
    public async Task Make_BucketThatDoesNotTakeIt_LeavesNoOrganizationAndIsMadeByTheNextRequest()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Gcs:RequestTimeout"] = "00:00:01", ["Gcs:TotalTimeout"] = "00:00:02" });
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        var at = await SourceAsync(bench, silo);
        var copies = Copies(silo, bench, catalog);
        foreach (var fault in (string[])
        [
            """[{"method":"POST","namePrefix":"litestream-replicas/_copies/","action":"status","status":503}]""",
            """[{"method":"POST","namePrefix":"litestream-replicas/_copies/","action":"loseAnswer"}]""",
            """[{"method":"GET","namePrefix":"litestream-replicas/demo/","action":"status","status":503}]""",
        ])
        {
            await bench.SetFaultsAsync(fault);
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token));
            Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
            Assert.Null(await catalog.FindAsync(Target, Token));
        }
        await bench.ClearFaultsAsync();
        Assert.NotNull(await copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token));
        await using var copy = await DatabaseBench.OpenAsync(silo, (await catalog.FindAsync(Target, Token))!);
        Assert.Equal(10, await CountAsync(copy));
    }

    /// <summary>The process ends between the object and the row.</summary>
    [Fact]
    public async Task Remains_OfARequestThatCameToNothing_AreNobodysAndGo()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        var at = await SourceAsync(bench, silo);
        var copies = Copies(silo, bench, catalog);
        await copies.MakeAsync(DatabaseBench.Demo, at, New("whole"), dryRun: false, Token);
        await copies.MakeAsync(DatabaseBench.Demo, at, New("opened"), dryRun: false, Token);
        await copies.MakeAsync(DatabaseBench.Demo, at, New("published"), dryRun: false, Token);
        foreach (var (id, isPublished) in new[] { ("opened", false), ("published", true) })
        {
            await using var opened = await DatabaseBench.OpenAsync(silo, (await catalog.FindAsync(OrganizationId.Parse(id), Token))!);
            if (isPublished) await opened.WaitUntilPublishedAsync(Token);
            await opened.CloseAsync(Token);
        }
        await copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token);
        // A catalog that never came to have the row, nor that of another cluster's.
        _catalog.Sql($"DELETE FROM organizations WHERE id IN ('{Target}', 'opened', 'published')");

        var ordinary = await catalog.AddAsync(New(Target), Token);
        await using (var empty = await DatabaseBench.OpenAsync(silo, ordinary)) Assert.Equal(0, await CountAsync(empty));

        Assert.Equal(0, await copies.SweepAsync(TimeSpan.FromHours(1), TimeProvider.System.GetUtcNow(), Token));
        Assert.Equal(1, await copies.SweepAsync(TimeSpan.FromHours(1), TimeProvider.System.GetUtcNow().AddHours(2), Token));
        Assert.Equal(0, await copies.SweepAsync(TimeSpan.FromHours(1), TimeProvider.System.GetUtcNow().AddHours(2), Token));
        Assert.DoesNotContain(await ObjectsAsync(bench, CopyPath.Root), found => found.Name.StartsWith($"{CopyPath.Root}{Target}/", StringComparison.Ordinal));
        await using var whole = await DatabaseBench.OpenAsync(silo, (await catalog.FindAsync(OrganizationId.Parse("whole"), Token))!);
        Assert.Equal(10, await CountAsync(whole));
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("damaged")]
    [InlineData("another's")]
    public async Task Snapshot_LostOrDamagedBeforeTheFirstOpening_IsNeverOpenedEmptyOrShort(string what)
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (silo, catalog) = (bench.Silo("a"), await _catalog.OpenMigratedAsync());
        var at = await SourceAsync(bench, silo);
        var copies = Copies(silo, bench, catalog);
        await copies.MakeAsync(DatabaseBench.Demo, at, New(Target), dryRun: false, Token);
        await copies.MakeAsync(DatabaseBench.Demo, at, New("other"), dryRun: false, Token);
        var row = (await catalog.FindAsync(Target, Token))!;
        var name = CopyPath.SnapshotOf(row.GcsReplicaPath!);
        var bytes = (await bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes;
        if (what == "damaged") bytes[bytes.Length / 2] ^= 1;
        if (what == "another's") bytes = (await bench.Bucket.DownloadAsync(CopyPath.SnapshotOf((await catalog.FindAsync(OrganizationId.Parse("other"), Token))!.GcsReplicaPath!), Token))!.Value.Bytes;
        if (what == "gone") await bench.Bucket.DeleteAsync(name, null, Token);
        else await bench.Bucket.UploadAsync(name, bytes, "application/octet-stream", null, Token);

        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(silo, row));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
    }

    private static OrganizationCopies Copies(ServiceProvider silo, DatabaseBench bench, OrganizationCatalog catalog) =>
        new(silo.GetRequiredService<OrgDatabaseOpening>(), bench.Bucket, silo.GetRequiredService<HeadStore>(), catalog, NullLoggerFactory.Instance);

    private static NewOrganization New(OrganizationId id) => new(id, "The copy", OrganizationDbType.Sqlite, null, Durability.Local);

    private static NewOrganization New(string id) => New(OrganizationId.Parse(id));

    /// <summary>An organization of ten contacts, put away.</summary>
    private static async Task<DateTimeOffset> SourceAsync(DatabaseBench bench, ServiceProvider silo)
    {
        await using var source = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await AddAsync(source, 10);
        await source.CloseAsync(Token);
        return await LastUploadAsync(bench);
    }

    private static async Task AddAsync(OrgDatabase database, int rows)
    {
        var last = 0L;
        for (var i = 0; i < rows; i++) last = (await database.CreateAsync(new ContactFields($"c{i}", Notes: new string('n', 3_000)), Token)).Commit;
        await database.WaitReplicatedAsync(last, Token);
    }

    private static async Task<long> CountAsync(OrgDatabase database) =>
        JsonDocument.Parse(Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!)).RootElement.GetProperty("count").GetInt64();

    private static async Task<List<(string Name, long Generation)>> ObjectsAsync(DatabaseBench bench, string prefix = "litestream-replicas/demo/")
    {
        var found = new List<(string, long)>();
        await foreach (var item in bench.Bucket.ListAsync(prefix, cancellationToken: Token)) found.Add((item.Name, item.Generation));
        return found;
    }

    private static async Task<DateTimeOffset> LastUploadAsync(DatabaseBench bench)
    {
        var last = default(DateTimeOffset);
        await foreach (var item in bench.Bucket.ListAsync("litestream-replicas/demo/", cancellationToken: Token)) last = item.Updated > last ? item.Updated : last;
        return last;
    }
}
