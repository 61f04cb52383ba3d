using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

/// <summary>Owners of one organization, over a real bucket that loses answers, stalls and refuses.</summary>
public sealed class OwnershipLeaseTests
{
    private const string StallHeads = """{"namePrefix":"heads/","action":"stall"}""";

    private static readonly TimeSpan TimeToLive = new LeaseOptions().TimeToLive;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Losses { get; } = ["", ",\"status\":503", ",\"status\":429", ",\"status\":412"];

    [Fact]
    public async Task Acquire_WhileItIsOwned_IsRefusedAndSaysForHowLong()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        var refused = await Assert.ThrowsAsync<LeaseHeldException>(() => bench.AcquireAsync());
        Assert.Equal(("silo-1", TimeToLive), (refused.Owner.Silo, refused.Left));
        Assert.True(first.IsRunning);
        Assert.Equal((1, HeadState.Acquiring), ((await bench.HeadAsync()).Epoch, (await bench.HeadAsync()).State));
    }

    [Fact]
    public async Task Acquire_AsLongAsItIsRenewed_IsRefused()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        for (var renewals = 0; renewals < 8; renewals++)
        {
            await bench.RenewedAsync();
            await Assert.ThrowsAsync<LeaseHeldException>(() => bench.AcquireAsync());
            Assert.True(first.IsRunning);
        }
        Assert.Equal(1, first.Epoch);
    }

    [Fact]
    public async Task Acquire_AfterItRanOut_TakesOver_AndTheFormerOwnerKnows()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        await first.PublishAsync("g1", 7, 1, Token);
        await first.DisposeAsync(); // as if it were killed
        Assert.False(first.IsRunning);
        bench.Time.Advance(TimeToLive);
        await Assert.ThrowsAsync<LeaseHeldException>(() => bench.AcquireAsync()); // both times are cut off to the second
        bench.Time.Advance(Second);

        var second = await bench.AcquireAsync();

        Assert.Equal((2, new ReplicaReference(1, "g1", 7)), (second.Epoch, second.Base));
        await second.VerifyAsync(Token);
        Assert.False(first.Moved.IsCompleted);
        await Assert.ThrowsAsync<HeadMovedException>(() => first.VerifyAsync(Token));
        Assert.True(first.Moved.IsCompleted);
        await Assert.ThrowsAsync<HeadMovedException>(() => first.PublishAsync("g2", 0, 1, Token));
        Assert.Equal((2, HeadState.Acquiring), ((await bench.HeadAsync()).Epoch, (await bench.HeadAsync()).State));
    }

    [Fact]
    public async Task Acquire_AfterOwnersThatNeverPublished_RestoresWhatTheyWereTo()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        await first.PublishAsync("g1", 7, 1, Token);
        await first.ReleaseAsync(9, Token);
        for (var epoch = 2; epoch < 5; epoch++)
        {
            var next = await bench.AcquireAsync();
            Assert.Equal((epoch, new ReplicaReference(1, "g1", 9)), (next.Epoch, next.Base));
            await next.DisposeAsync();
            bench.Time.Advance(TimeToLive + Second);
        }
    }

    [Fact]
    public async Task Acquire_AfterRelease_WaitsForNothing()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        await first.ReleaseAsync(0, Token);
        Assert.False(first.IsRunning);
        Assert.Equal(2, (await bench.AcquireAsync()).Epoch);
    }

    [Fact]
    public async Task Acquire_HeadOfBeforeLeasesHadAnEnd_WaitsTheDefaultTime()
    {
        await using var bench = await LeaseBench.StartAsync();
        var older = """{"version":1,"epoch":4,"state":"active","owner":{"clusterId":"c","silo":"s","activationId":"a"},"operationId":"x","ttlMs":0,"current":{"epoch":4,"generation":"g","highWater":3}}""";
        await bench.Bucket.UploadAsync("heads/demo.json", Encoding.UTF8.GetBytes(older), "application/json", 0, Token);
        Assert.Equal(TimeToLive, (await Assert.ThrowsAsync<LeaseHeldException>(() => bench.AcquireAsync())).Left);
        bench.Time.Advance(TimeToLive + Second);
        var lease = await bench.AcquireAsync();
        Assert.Equal((5, new ReplicaReference(4, "g", 3)), (lease.Epoch, lease.Base));
    }

    [Fact]
    public async Task Acquire_OwnerKnownToBeDead_WaitsOnlyForItsLitestream()
    {
        await using var bench = await LeaseBench.StartAsync();
        await (await bench.AcquireAsync()).DisposeAsync();
        var since = bench.Time.GetUtcNow();
        var taking = bench.AcquireAsync(_ => new LeaseOptions().DrainTime);
        await bench.UntilAsync(() => Task.FromResult(taking.IsCompleted), "the dead owner's Litestream had its time");
        Assert.Equal(2, (await taking).Epoch);
        Assert.InRange(bench.Time.GetUtcNow() - since, new LeaseOptions().DrainTime, TimeToLive - Second);
    }

    [Fact]
    public async Task Acquire_TwoAtOnce_OneWins()
    {
        await using var bench = await LeaseBench.StartAsync();
        await (await bench.AcquireAsync()).ReleaseAsync(0, Token);
        var attempts = Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                return await bench.AcquireAsync();
            }
            catch (LeaseHeldException)
            {
                return null;
            }
        });
        var owner = Assert.Single(await Task.WhenAll(attempts), lease => lease is not null)!;
        Assert.Equal(2, owner.Epoch);
        await owner.VerifyAsync(Token);
    }

    [Theory, MemberData(nameof(Losses))]
    public async Task Life_EveryAnswerLost_KnowsItsOwnWrites(string status)
    {
        await using var bench = await LeaseBench.StartAsync();
        var loss = $$"""{"method":"insertObject","namePrefix":"heads/","action":"loseAnswer","count":1{{status}}}""";
        await bench.FaultAsync(loss);
        var lease = await bench.AcquireAsync();
        await bench.FaultAsync(loss);
        await lease.PublishAsync("g1", 1, 1, Token);
        await bench.FaultAsync(loss);
        await bench.RenewedAsync();
        await bench.FaultAsync("");
        await bench.RenewedAsync();
        Assert.True(lease.IsRunning);
        await bench.FaultAsync(loss);
        await lease.ReleaseAsync(2, Token);

        var head = await bench.HeadAsync();
        Assert.Equal((1, HeadState.Released, new ReplicaReference(1, "g1", 2)), (head.Epoch, head.State, head.Current));
        Assert.False(lease.Moved.IsCompleted);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task Life_EveryWriteRefusedOnce_GoesOn(int status)
    {
        await using var bench = await LeaseBench.StartAsync();
        var refusal = $$"""{"method":"insertObject","namePrefix":"heads/","action":"status","status":{{status}},"count":1}""";
        async Task<T> RefusedOnceAsync<T>(Task<T> change)
        {
            await bench.UntilAsync(() => Task.FromResult(change.IsCompleted), "it was tried again");
            return await change;
        }
        await bench.FaultAsync(refusal);
        var lease = await RefusedOnceAsync(bench.AcquireAsync());
        await bench.FaultAsync(refusal);
        await RefusedOnceAsync(lease.PublishAsync("g1", 1, 1, Token).ContinueWith(done => done.IsCompletedSuccessfully, TaskScheduler.Default));
        await bench.FaultAsync(refusal);
        Assert.True(await RefusedOnceAsync(lease.ReleaseAsync(2, Token).ContinueWith(done => done.IsCompletedSuccessfully, TaskScheduler.Default)));
        Assert.Equal((1, HeadState.Released, 2), ((await bench.HeadAsync()).Epoch, (await bench.HeadAsync()).State, (await bench.HeadAsync()).Current!.HighWater));
    }

    [Fact]
    public async Task Renewal_BucketStalls_StopsWritesInTimeAndResumes()
    {
        await using var bench = await LeaseBench.StartAsync();
        var lease = await bench.AcquireAsync();
        var since = bench.Time.GetUtcNow();
        await bench.FaultAsync(StallHeads);
        await bench.UntilAsync(() => Task.FromResult(!lease.IsRunning), "the lease runs out by its own clock");
        Assert.InRange(bench.Time.GetUtcNow() - since, TimeSpan.Zero, TimeToLive - new LeaseOptions().SafetyMargin);
        Assert.Equal(TimeSpan.Zero, lease.Left);
        bench.Time.Advance(TimeToLive + TimeToLive);
        await Eventually.IsAsync(() => lease.Problem is not null, "it says that it cannot renew");

        await bench.FaultAsync("");
        await bench.UntilAsync(() => Task.FromResult(lease.IsRunning), "nobody took it, so it runs again");
        Assert.Equal(1, (await bench.HeadAsync()).Epoch);
        await bench.UntilAsync(() => Task.FromResult(lease.Problem is null), "it says that all is well");
    }

    [Fact]
    public async Task Renewal_TakenOverMeanwhile_IsMovedForGood()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        await first.PublishAsync("g1", 1, 1, Token);
        var second = await bench.AcquireAsync(_ => TimeSpan.Zero); // it believes the first one dead
        Assert.Equal((2, new ReplicaReference(1, "g1", 1)), (second.Epoch, second.Base));
        await bench.UntilAsync(() => Task.FromResult(first.Moved.IsCompleted), "the first one's next renewal tells it");
        Assert.False(first.IsRunning);
        await Assert.ThrowsAsync<HeadMovedException>(() => first.ReleaseAsync(9, Token));
        await second.VerifyAsync(Token);
        Assert.Equal((2, HeadState.Acquiring), ((await bench.HeadAsync()).Epoch, (await bench.HeadAsync()).State));
    }

    [Fact]
    public async Task Renewal_MarkIsDurable_CarriesItIntoTheHead()
    {
        await using var bench = await LeaseBench.StartAsync();
        var lease = await bench.AcquireAsync();
        await lease.PublishAsync("g1", 1, 1, Token);
        lease.DurableMark = () => 5;
        await bench.RenewedAsync();
        Assert.Equal(5, (await bench.HeadAsync()).Current!.HighWater);
        lease.DurableMark = () => 0; // not known
        await bench.RenewedAsync();
        Assert.Equal(5, (await bench.HeadAsync()).Current!.HighWater);
        await lease.PublishAsync("g2", 1, 1, Token);
        Assert.Equal(new ReplicaReference(1, "g2", 5), (await bench.HeadAsync()).Current);
    }

    /// <summary>It spun on its thread while less than a millisecond was left, which on a clock that stands still is for ever.</summary>
    [Fact]
    public async Task Renewal_DueInLessThanAMillisecond_Sleeps()
    {
        await using var bench = await LeaseBench.StartAsync();
        await bench.AcquireAsync();
        var before = (await bench.HeadAsync()).OperationId;
        bench.Time.Advance(new LeaseOptions().RenewInterval * 0.8 - TimeSpan.FromMilliseconds(1));

        // Whoever waits for the clock goes on inside these steps.
        for (var renewed = false; !renewed; renewed = (await bench.HeadAsync()).OperationId != before)
            await Task.Run(() => StepFinely(bench.Time), Token).WaitAsync(TimeSpan.FromMinutes(1), Token);
    }

    private static void StepFinely(FakeTimeProvider time)
    {
        for (var i = 0; i < 500; i++) time.Advance(TimeSpan.FromMilliseconds(0.2));
    }

    [Fact]
    public async Task List_ShowsLeasesWithoutReadingTheHeads()
    {
        await using var bench = await LeaseBench.StartAsync();
        await (await bench.AcquireAsync()).PublishAsync("g1", 0, 1, Token);
        var older = """{"version":1,"epoch":4,"state":"released","owner":{"clusterId":"c","silo":"s","activationId":"a"},"operationId":"x"}""";
        await bench.Bucket.UploadAsync("heads/older.json", Encoding.UTF8.GetBytes(older), "application/json", 0, Token);
        await bench.Bucket.UploadAsync("heads/no organization.json", "{}"u8.ToArray(), "application/json", 0, Token);

        var page = await bench.Heads.ListAsync(null, 100, Token);

        Assert.Equal(["demo", "older"], page.Entries.Select(entry => entry.Organization.Value));
        var demo = page.Entries[0];
        Assert.Equal((HeadState.Active, 1L, "cluster", "silo-1", TimeToLive), (demo.State, demo.Epoch, demo.ClusterId, demo.Silo, demo.TimeToLive));
        Assert.Equal((await bench.Heads.ReadAsync(LeaseBench.Demo, Token))!.ObjectGeneration, demo.ObjectGeneration);
        Assert.Equal((bench.Time.GetUtcNow(), false), (demo.ServerTime, demo.IsOver(new LeaseOptions())));
        Assert.Equal((4L, "c", true), (page.Entries[1].Epoch, page.Entries[1].ClusterId, page.Entries[1].IsOver(new LeaseOptions())));

        var first = await bench.Heads.ListAsync(null, 1, Token);
        Assert.Equal("demo", Assert.Single(first.Entries).Organization.Value);
        Assert.NotNull(first.NextCursor);
    }

    [Fact]
    public async Task ReleaseExpired_OnlyWhatRanOut_AndKeepsWhatIsToBeRestored()
    {
        await using var bench = await LeaseBench.StartAsync();
        var first = await bench.AcquireAsync();
        await first.PublishAsync("g1", 7, 1, Token);
        await Assert.ThrowsAsync<LeaseHeldException>(() => bench.Heads.ReleaseExpiredAsync(LeaseBench.Demo, Token));
        await first.DisposeAsync();
        bench.Time.Advance(TimeToLive + Second);

        await bench.Heads.ReleaseExpiredAsync(LeaseBench.Demo, Token);
        await bench.Heads.ReleaseExpiredAsync(LeaseBench.Demo, Token);

        var head = await bench.HeadAsync();
        Assert.Equal((1, HeadState.Released, new ReplicaReference(1, "g1", 7)), (head.Epoch, head.State, head.Current));
        Assert.Equal(2, (await bench.AcquireAsync()).Epoch);
        await Assert.ThrowsAsync<HeadMovedException>(() => first.PublishAsync("g2", 0, 1, Token));
    }

    /// <summary>A sweep takes an owner for dead that only could not reach the bucket: as long as nobody has taken the organization, it is its own.</summary>
    [Theory]
    [InlineData(true, HeadState.Active)]
    [InlineData(false, HeadState.Acquiring)]
    public async Task ReleaseExpired_OfAnOwnerThatLives_IsUndoneByItsNextRenewal(bool isPublished, HeadState expected)
    {
        await using var bench = await LeaseBench.StartAsync();
        var lease = await bench.AcquireAsync();
        if (isPublished) await lease.PublishAsync("g1", 7, 1, Token);
        var found = (await bench.Heads.ReadAsync(LeaseBench.Demo, Token))!;
        await bench.Bucket.UploadAsync(
            "heads/demo.json", JsonSerializer.SerializeToUtf8Bytes(found.Head with { State = HeadState.Released, OperationId = "sweep" }, OrganizationHeadJson.Default.OrganizationHead),
            "application/json", found.ObjectGeneration, Token);

        await bench.RenewedAsync();

        var head = await bench.HeadAsync();
        Assert.Equal((1, expected, found.Head.Current), (head.Epoch, head.State, head.Current));
        Assert.True(lease.IsRunning);
        await Assert.ThrowsAsync<LeaseHeldException>(() => bench.AcquireAsync());
    }

    [Fact]
    public async Task Head_OnTheWire_IsWhatTheDesignSays()
    {
        await using var bench = await LeaseBench.StartAsync();
        await (await bench.AcquireAsync()).PublishAsync("g1", 7, 3, Token);
        using var head = JsonDocument.Parse((await bench.Bucket.DownloadAsync("heads/demo.json", Token))!.Value.Bytes);
        Assert.Equal(
            ["version", "epoch", "state", "owner", "operationId", "ttlMs", "base", "current", "schemaVersion"],
            head.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal((30_000, "folder-1"), (head.RootElement.GetProperty("ttlMs").GetInt32(), head.RootElement.GetProperty("owner").GetProperty("dataDirectoryId").GetString()));
    }
}
