using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Lease;

/// <summary>What an open database does with its lease, with the real Litestream.</summary>
public sealed class OrgDatabaseLeaseTests
{
    private static readonly Dictionary<string, string?> ShortLease = new()
    {
        ["Lease:TimeToLive"] = "00:00:03",
        ["Lease:RenewInterval"] = "00:00:00.500",
        ["Lease:SafetyMargin"] = "00:00:01",
        ["Gcs:TotalTimeout"] = "00:00:01",
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Task<T> UntilAsync<T>(Func<Task<T>> attempt, Func<OrganizationException, bool> isExpected, string what)
        where T : class => Eventually.GetAsync(
        async () =>
        {
            try
            {
                return await attempt();
            }
            catch (OrganizationException refusal) when (isExpected(refusal))
            {
                return null;
            }
        },
        what);

    [Fact]
    public async Task Open_WhileAnotherSiloOwnsIt_IsRefusedUntilItsLeaseRanOut()
    {
        await using var bench = await DatabaseBench.StartAsync(ShortLease);
        var elsewhere = bench.Silo("b");
        await using (var first = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo))
        {
            var done = await first.CreateAsync(new ContactFields("one"), Token);
            await first.WaitReplicatedAsync(done.Commit, Token);
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(elsewhere, DatabaseBench.Demo));
            Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
            Assert.IsType<LeaseHeldException>(refusal.InnerException);
            Assert.InRange(refusal.RetryAfter!.Value, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(1));
            await first.AbandonAsync(); // it renews no more
        }
        await using var second = await UntilAsync(
            () => DatabaseBench.OpenAsync(elsewhere, DatabaseBench.Demo), refusal => refusal.InnerException is LeaseHeldException, "the lease runs out");
        Assert.Equal("{\"count\":1}", Encoding.UTF8.GetString((await second.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Write_LeaseCannotBeRenewed_IsRefusedAndGoesOnAfterwards()
    {
        await using var bench = await DatabaseBench.StartAsync(ShortLease);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var before = await database.CreateAsync(new ContactFields("before"), Token);
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"heads/","action":"status","status":503}]""");
        var refusal = await Eventually.GetAsync(
            async () => await Record.ExceptionAsync(() => database.CreateAsync(new ContactFields("meanwhile"), Token)) as OrganizationException, "the lease runs out");
        Assert.Equal(OrganizationErrorCode.DatabaseMoved, refusal.Code);
        Assert.NotNull(refusal.RetryAfter);
        Assert.Equal((false, TimeSpan.Zero), (database.IsMoved, database.LeaseLeft));
        Assert.NotNull((await database.GetAsync(before.Id, Token)).Utf8);

        await bench.ClearFaultsAsync();
        await UntilAsync(
            async () => await database.CreateAsync(new ContactFields("after"), Token) is { Id: { } id } ? id : null!,
            again => again.Code == OrganizationErrorCode.DatabaseMoved, "nobody took it, so writes go on");
        await database.CloseAsync(Token);
        Assert.Equal((1, HeadState.Released), ((await bench.HeadAsync(DatabaseBench.Demo)).Epoch, (await bench.HeadAsync(DatabaseBench.Demo)).State));
    }

    /// <summary>Whether another owner has come by then is not known, who would not have what this one uploaded late.</summary>
    [Fact]
    public async Task Close_LeaseOverAndTheBucketTellsNothing_LeavesTheFile()
    {
        await using var bench = await DatabaseBench.StartAsync(ShortLease);
        var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var done = await database.CreateAsync(new ContactFields("one"), Token);
        await database.WaitReplicatedAsync(done.Commit, Token);
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"heads/","action":"status","status":503}]""");
        await Eventually.IsAsync(() => database.LeaseLeft == TimeSpan.Zero, "the lease runs out");

        await database.CloseAsync(Token);

        Assert.Contains(OrgFiles.Find(bench.Folder["a"], DatabaseBench.Demo.Id), files => File.Exists(files.Database));
        await bench.ClearFaultsAsync();
        await using var again = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        Assert.Equal("{\"count\":1}", Encoding.UTF8.GetString((await again.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Replicated_HeadTakenBeforeTheUpload_IsNotConfirmed()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var first = await database.CreateAsync(new ContactFields("one"), Token);
        await database.WaitReplicatedAsync(first.Commit, Token);

        await bench.TakeAwayAsync(DatabaseBench.Demo);
        var zombie = await database.CreateAsync(new ContactFields("zombie"), Token); // it cannot know yet: a local promise only
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => database.WaitReplicatedAsync(zombie.Commit, Token));
        Assert.Equal(OrganizationErrorCode.DatabaseMoved, refusal.Code);
        await database.Moved.WaitAsync(Token);
        Assert.Equal(
            OrganizationErrorCode.DatabaseMoved, (await Assert.ThrowsAsync<OrganizationException>(() => database.CreateAsync(new ContactFields("again"), Token))).Code);

        await database.CloseAsync(Token);
        Assert.Single(Directory.EnumerateFiles(Path.Combine(bench.Folder["a"], "set-aside"), "org-demo.db", SearchOption.AllDirectories));
        Assert.Equal((2, "elsewhere"), ((await bench.HeadAsync(DatabaseBench.Demo)).Epoch, (await bench.HeadAsync(DatabaseBench.Demo)).Owner.ClusterId));
    }

    [Fact]
    public async Task Renewal_AfterWrites_CarriesTheMarkAndThenRests()
    {
        await using var bench = await DatabaseBench.StartAsync(ShortLease);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("one"), Token);
        await Eventually.GetAsync(
            async () => (await bench.HeadAsync(DatabaseBench.Demo)).Current?.HighWater == 1 ? "yes" : null, "the mark is in the head");
        // Two renewals later it is still the same: a mark makes no other mark.
        for (var renewals = 0; renewals < 2; renewals++)
        {
            var before = await bench.HeadAsync(DatabaseBench.Demo);
            await Eventually.GetAsync(async () => (await bench.HeadAsync(DatabaseBench.Demo)).OperationId != before.OperationId ? "yes" : null, "it is renewed");
        }
        Assert.Equal(1, (await bench.HeadAsync(DatabaseBench.Demo)).Current!.HighWater);
        await database.CloseAsync(Token);
        Assert.Equal(1, (await bench.HeadAsync(DatabaseBench.Demo)).Current!.HighWater);
    }

    [Fact]
    public async Task Open_RestoreFails_GivesTheLeaseBack()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await using (var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo))
        {
            await database.CreateAsync(new ContactFields("one"), Token);
            await database.CloseAsync(Token);
        }
        var written = (await bench.HeadAsync(DatabaseBench.Demo)).Truth;
        await bench.SetFaultsAsync("""[{"method":"getMedia","namePrefix":"litestream-replicas/","action":"status","status":403}]""");
        await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo));
        var head = await bench.HeadAsync(DatabaseBench.Demo);
        Assert.Equal((2, HeadState.Released, written), (head.Epoch, head.State, head.Truth));
        await bench.ClearFaultsAsync();
        await using var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("c"), DatabaseBench.Demo);
        Assert.Equal("{\"count\":1}", Encoding.UTF8.GetString((await elsewhere.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Open_HeadWasPutBack_IsRefusedHoweverOftenItIsTried()
    {
        await using var bench = await DatabaseBench.StartAsync();
        byte[] old = [];
        for (var life = 1; life <= 2; life++)
        {
            await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
            await database.CreateAsync(new ContactFields($"life {life}"), Token);
            await database.CloseAsync(Token);
            if (life == 1) old = (await bench.Bucket.DownloadAsync("heads/demo.json", Token))!.Value.Bytes;
        }
        var newest = (await bench.Bucket.DownloadAsync("heads/demo.json", Token))!.Value.Bytes;
        await bench.Bucket.UploadAsync("heads/demo.json", old, "application/json", null, Token);
        var silo = bench.Silo("b");
        for (var attempt = 0; attempt < 3; attempt++)
        {
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(silo, DatabaseBench.Demo));
            Assert.Contains("it was put back", Assert.IsType<HeadException>(refusal.InnerException).Message, StringComparison.Ordinal);
        }
        await bench.Bucket.UploadAsync("heads/demo.json", newest, "application/json", null, Token);
        await using var whole = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Assert.Equal("{\"count\":2}", Encoding.UTF8.GetString((await whole.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Open_SameFolderAfterItsSiloDied_TakesItsOwnLeaseAtOnce()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Lease:TimeToLive"] = "01:00:00" });
        await using (var first = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo))
        {
            await first.CreateAsync(new ContactFields("one"), Token);
            await first.AbandonAsync();
        }
        var next = bench.Silo("a");
        Assert.NotEmpty(next.GetRequiredService<DataDirectoryLock>().Identity);
        await using var second = await DatabaseBench.OpenAsync(next, DatabaseBench.Demo);
        Assert.Equal("{\"count\":1}", Encoding.UTF8.GetString((await second.CountAsync(Token)).Utf8!));
        Assert.Equal(2, (await bench.HeadAsync(DatabaseBench.Demo)).Epoch);
    }
}
