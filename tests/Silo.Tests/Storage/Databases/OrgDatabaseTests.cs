using System.Text;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Databases;

/// <summary>The life of a database below the grain: lease, restore, proof, replication, putting away. Real Litestream, real HTTP.</summary>
public sealed class OrgDatabaseTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task<string[]> NamesAsync(OrgDatabase database)
    {
        var page = Encoding.UTF8.GetString((await database.ListAsync(new ContactListQuery(500, null, null), Token)).Utf8!);
        return [.. System.Text.RegularExpressions.Regex.Matches(page, "\"name\":\"(.*?)\"").Select(match => match.Groups[1].Value)];
    }

    private static string[] Files(DatabaseBench bench, string silo) =>
        [.. Directory.EnumerateFiles(bench.Folder[silo], "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(bench.Folder[silo], file))
            .Where(file => file is not ("silo.lock" or "silo.id")).Order(StringComparer.Ordinal)];

    [Fact]
    public async Task Close_AfterWrites_LeavesNothingHereAndEverythingInTheBucket()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        int? pid;
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            for (var i = 0; i < 20; i++) await database.CreateAsync(new ContactFields($"c{i}"), Token);
            pid = database.Status().LitestreamPid;
            Assert.NotNull(Silo.Storage.Litestream.ChildProcess.Find(pid!.Value));
            await database.CloseAsync(Token);
        }
        Assert.Empty(Files(bench, "a"));
        Assert.Null(Silo.Storage.Litestream.ChildProcess.Find(pid.Value));
        var head = await bench.HeadAsync(DatabaseBench.Demo);
        Assert.Equal((1, HeadState.Released, 1), (head.Epoch, head.State, head.Current!.HighWater));

        using (var outside = OrgConnection.OpenWriter(await bench.RestoreAsOutsiderAsync(DatabaseBench.Demo)))
            Assert.Equal((20L, "ok"), (outside.Scalar<long>("SELECT count(*) FROM contacts"), outside.Scalar<string>("PRAGMA integrity_check")));

        await using var again = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal(Enumerable.Range(0, 20).Reverse().Select(i => $"c{i}"), await NamesAsync(again));
        await again.CloseAsync(Token);
        Assert.Equal((2, 1), ((await bench.HeadAsync(DatabaseBench.Demo)).Epoch, (await bench.HeadAsync(DatabaseBench.Demo)).Truth!.HighWater));
    }

    [Fact]
    public async Task Close_OnlyRead_NeedsNoUploadAndLeavesTheBaseAsItWas()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo)) await database.CloseAsync(Token);
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            await database.CreateAsync(new ContactFields("one"), Token);
            await database.CloseAsync(Token);
        }
        var written = (await bench.HeadAsync(DatabaseBench.Demo)).Truth;
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            Assert.Equal(["one"], await NamesAsync(database));
            await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
            await database.CloseAsync(Token);
        }
        Assert.Equal(written, (await bench.HeadAsync(DatabaseBench.Demo)).Truth);
        Assert.Empty(Files(bench, "a"));
    }

    [Fact]
    public async Task Close_BucketRefusesUploads_KeepsTheFileAndServesOnUntilItDoesNot()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Database:FlushTimeout"] = "00:00:01" });
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("one"), Token);
        await database.FlushAsync(Token);
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
        await database.CreateAsync(new ContactFields("two"), Token);
        await Assert.ThrowsAsync<FlushException>(() => database.CloseAsync(Token));

        await database.CreateAsync(new ContactFields("three"), Token); // it is as open as before
        Assert.False(database.IsFlushed);
        await bench.ClearFaultsAsync();
        // Litestream tries again at the next change.
        for (var done = false; !done;)
        {
            try
            {
                await database.CloseAsync(Token);
                done = true;
            }
            catch (FlushException)
            {
                await database.CreateAsync(new ContactFields("poke"), Token);
            }
        }
        await using var again = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Assert.Equal(["three", "two", "one"], (await NamesAsync(again)).Where(name => name != "poke"));
    }

    [Fact]
    public async Task Open_AfterAbandon_GoesOnFromTheFile()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            await database.CreateAsync(new ContactFields("one"), Token);
            await database.FlushAsync(Token);
            await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
            await database.CreateAsync(new ContactFields("only here"), Token);
            await database.AbandonAsync();
        }
        Assert.NotEmpty(Files(bench, "a"));
        await bench.ClearFaultsAsync();
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            Assert.Equal(["only here", "one"], await NamesAsync(database));
            await database.CreateAsync(new ContactFields("after"), Token);
            await database.CloseAsync(Token);
        }
        await using var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal(["after", "only here", "one"], await NamesAsync(elsewhere));
    }

    [Fact]
    public async Task Open_FileOfAnEpochThatIsOver_IsSetAsideAndNotServed()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            await database.CreateAsync(new ContactFields("one"), Token);
            await database.FlushAsync(Token);
            await database.AbandonAsync();
        }
        await bench.TakeAwayAsync(DatabaseBench.Demo);
        await using (var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo))
        {
            await database.CreateAsync(new ContactFields("two"), Token);
            await database.CloseAsync(Token);
        }
        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            Assert.Equal(["two", "one"], await NamesAsync(database));
            await database.CloseAsync(Token);
        }
        var kept = Assert.Single(Files(bench, "a"), file => file.EndsWith("org-demo.db", StringComparison.Ordinal));
        Assert.StartsWith("set-aside/demo-000000000001-", kept, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Write_AfterAnotherOwnerTookOver_IsRefusedOnceNoticed_AndItsFileIsKept()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:PublishWait"] = "00:00:10" });
        // The first owner's uploads stall, so that it has not published when the second takes the organization.
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/demo/epoch-000000000001/","action":"delay","delayMs":700}]""");
        await using var first = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await bench.TakeAwayAsync(DatabaseBench.Demo);
        await using var second = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => first.CreateAsync(new ContactFields("zombie"), Token));
        Assert.Equal(OrganizationErrorCode.DatabaseMoved, refusal.Code);
        Assert.True(first.IsMoved);
        await second.CreateAsync(new ContactFields("owner"), Token);
        await first.CloseAsync(Token);
        await second.CloseAsync(Token);
        await using var third = await DatabaseBench.OpenAsync(bench.Silo("c"), DatabaseBench.Demo);
        Assert.Equal(["owner"], await NamesAsync(third));
    }

    [Fact]
    public async Task Open_WhileItIsOpenHere_IsRefused()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(silo, DatabaseBench.Demo));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
        await database.CreateAsync(new ContactFields("unharmed"), Token);
    }

    [Fact]
    public async Task Litestream_Killed_NextWriteIsInTheBucketSoon()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("before"), Token);
        await database.FlushAsync(Token);
        var killed = Silo.Storage.Litestream.ChildProcess.Find(database.Status().LitestreamPid!.Value)!.Value;
        var tether = Assert.Single(killed.Children());
        killed.Kill();
        var after = await database.CreateAsync(new ContactFields("after"), Token);
        await database.WaitReplicatedAsync(after.Commit, Token);
        Assert.NotEqual(killed.Pid, database.Status().LitestreamPid);
        Assert.Equal(1, database.Status().LitestreamRestarts);
        Assert.False(tether.IsAlive);
    }

    [Fact]
    public async Task Publication_AnswerAndCheckLost_KnowsItsOwnHeadAgain()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Gcs:TotalTimeout"] = "00:00:02" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        // The write of the publication arrives, its answer does not, and neither can the head be read for a while.
        await bench.SetFaultsAsync("""
            [{"method":"POST","namePrefix":"heads/","action":"loseAnswer","count":1},{"method":"GET","namePrefix":"heads/","action":"status","status":503,"count":8}]
            """);
        var commit = await database.CreateAsync(new ContactFields("one"), Token);
        await database.WaitReplicatedAsync(commit.Commit, Token);
        Assert.False(database.IsMoved);
        await database.CloseAsync(Token);
        Assert.Equal((1, HeadState.Released), ((await bench.HeadAsync(DatabaseBench.Demo)).Epoch, (await bench.HeadAsync(DatabaseBench.Demo)).State));
    }

    [Fact]
    public async Task Litestream_LosesTheAnswerOfTheLastUpload_ConfirmsItAllTheSame()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLag"] = "00:00:05", ["Litestream:ReplicatedWait"] = "00:01:00" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("one"), Token);
        await database.FlushAsync(Token);
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"loseAnswer","count":4}]""");
        var commit = await database.CreateAsync(new ContactFields("two"), Token);
        await database.WaitReplicatedAsync(commit.Commit, Token);
        await database.CloseAsync(Token);
        await using var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal(["two", "one"], await NamesAsync(elsewhere));
    }

    [Fact]
    public async Task Litestream_UploadsSlowerThanMaxLag_IsNotKilledForIt()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLag"] = "00:00:05", ["Litestream:ReplicatedWait"] = "00:01:00" });
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"delay","delayMs":3000}]""");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var commit = await database.CreateAsync(new ContactFields("one"), Token);
        await database.WaitReplicatedAsync(commit.Commit, Token); // a snapshot and segments of 3 s each: more than MaxLag in all
        Assert.Equal(0, database.Status().LitestreamRestarts);
    }

    [Fact]
    public async Task Litestream_KilledBeforeItsTailWasSeen_IsStartedAgainAndLeavesNoTail()
    {
        // It says nothing for the first minute: the tether is there, and no event has told us.
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MonitorInterval"] = "00:01:00", ["Litestream:PublishWait"] = "00:00:00" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        IReadOnlyList<Silo.Storage.Litestream.ChildProcess> tethers = [];
        await Eventually.IsAsync(
            () => database.Status().LitestreamPid is { } pid && (tethers = Silo.Storage.Litestream.ChildProcess.Find(pid)?.Children() ?? []).Count == 1, "the tether runs");
        var killed = database.Status().LitestreamPid!.Value;
        Silo.Storage.Litestream.ChildProcess.Find(killed)!.Value.Kill();
        await Eventually.IsAsync(() => database.Status().LitestreamPid is { } pid && pid != killed, "Litestream runs again");
        Assert.False(tethers[0].IsAlive);
    }

    [Fact]
    public async Task Litestream_KilledBeforeItPublished_PublishesAfterItsRestart()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"stall"}]""");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        // It has begun a generation, and its first snapshot is on its way for ever.
        await Eventually.IsAsync(
            () => Directory.EnumerateFiles(bench.Folder["a"], "generation", SearchOption.AllDirectories).Any(), "Litestream has begun a generation");
        Silo.Storage.Litestream.ChildProcess.Find(database.Status().LitestreamPid!.Value)!.Value.Kill();
        await bench.ClearFaultsAsync();
        var commit = await database.CreateAsync(new ContactFields("one"), Token);
        await database.WaitReplicatedAsync(commit.Commit, Token);
        await database.CloseAsync(Token);
        Assert.Equal(HeadState.Released, (await bench.HeadAsync(DatabaseBench.Demo)).State);
    }
}
