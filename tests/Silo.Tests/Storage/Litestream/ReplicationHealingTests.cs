using System.Security.Cryptography;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Litestream;

/// <summary>The bucket does not follow: Litestream is made to try again, or replaced, and no row is lost.</summary>
public sealed class ReplicationHealingTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task CheckRestoredAsync(DatabaseBench bench, long count)
    {
        using var outside = OrgConnection.OpenWriter(await bench.RestoreAsOutsiderAsync(DatabaseBench.Demo));
        Assert.Equal((count, "ok"), (outside.Scalar<long>("SELECT count(*) FROM contacts"), outside.Scalar<string>("PRAGMA integrity_check")));
    }

    [Fact]
    public async Task Upload_RefusedOnce_IsTriedAgainByAPoke()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLag"] = "01:00:00", ["Litestream:ReplicatedWait"] = "00:01:00" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("one"), Token);
        await database.FlushAsync(Token);
        await bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"status","status":503,"count":1}]""");
        var commit = await database.CreateAsync(new ContactFields("two"), Token);
        await database.WaitReplicatedAsync(commit.Commit, Token); // by itself it would wait for the next write
        var status = database.Status();
        Assert.Equal((1, 0), (status.Remedies.Pokes, status.LitestreamRestarts));
        await CheckRestoredAsync(bench, 2);
        await database.CloseAsync(Token);
        await using var again = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal("""{"count":2}""", System.Text.Encoding.UTF8.GetString((await again.CountAsync(Token)).Utf8!));
    }

    /// <summary>Nobody writes, so there is no commit that waits, and none that would make Litestream try again.</summary>
    [Fact]
    public async Task FirstUpload_RefusedOnce_IsTriedAgainByAPoke()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLag"] = "01:00:00" });
        await bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"status","status":503,"count":1}]""");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);

        await PublishedAsync(database);

        var status = database.Status();
        Assert.Equal((1, 0), (status.Remedies.Pokes, status.LitestreamRestarts));
        Assert.Equal(status.Generation, (await bench.HeadAsync(DatabaseBench.Demo)).Current!.Generation);
        await database.CloseAsync(Token);
        await using var again = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal("""{"count":0}""", System.Text.Encoding.UTF8.GetString((await again.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task FirstUpload_ThatHangs_IsHealedByAnotherProcess()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLag"] = "00:00:05" });
        await bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"stall"}]""");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);

        await Eventually.IsAsync(() => database.Status().LitestreamRestarts > 0, "Litestream is started again");
        await bench.ClearFaultsAsync();
        await PublishedAsync(database);
        await database.CloseAsync(Token);
    }

    /// <summary>What makes Litestream try again is no commit of anybody's that would have to be in the bucket first.</summary>
    [Fact]
    public async Task FirstUpload_ThatIsAlwaysRefused_KeepsNoDatabaseThatWasOnlyRead()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLag"] = "01:00:00" });
        await bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"status","status":403}]""");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await Eventually.IsAsync(() => database.Status().Remedies.Pokes > 0, "Litestream is made to try again");

        await database.CloseAsync(Token);

        Assert.Empty(Directory.EnumerateFiles(bench.Folder["a"], "*.db", SearchOption.AllDirectories));
        Assert.Equal(HeadState.Released, (await bench.HeadAsync(DatabaseBench.Demo)).State);
    }

    /// <summary>
    /// Told to end, Litestream gives up the upload that is under way and makes its last one beside it, under the same name. The one that was
    /// given up may arrive all the same, and then takes the place of what the last one brought.
    /// </summary>
    [Fact]
    public async Task LitestreamEnded_WhileItsUploadIsUnderWay_AndThatArrivesLast_LosesNothing()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("one"), Token);
        await database.FlushAsync(Token);
        var truth = (await bench.HeadAsync(DatabaseBench.Demo)).Current!;
        var pieces = $"{truth.Prefix(DatabaseBench.Demo.GcsReplicaPath!)}/generations/{truth.Generation}/wal/";
        var received = await bench.StatisticAsync("receivedBytes");
        await bench.SetFaultsAsync($$"""[{"method":"insertObject","namePrefix":"{{pieces}}","action":"late","count":1}]""");
        await database.CreateAsync(new ContactFields("two"), Token);
        await Eventually.GetAsync(async () => await bench.StatisticAsync("receivedBytes") > received ? "yes" : null, "the upload is under way");
        var behind = database.LagBytes;
        var closing = database.CloseAsync(Token);
        await Eventually.IsAsync(() => database.LagBytes > behind, "the last mark is made");

        ChildProcess.Find(database.LitestreamPid!.Value)!.Value.Terminate();

        await closing;
        var pages = await StoredAsync(bench, pieces);
        await bench.ClearFaultsAsync();
        await Eventually.GetAsync(async () => (await StoredAsync(bench, pieces)).SequenceEqual(pages) ? null : "yes", "the late upload has arrived");
        await using var again = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal("""{"count":2}""", System.Text.Encoding.UTF8.GetString((await again.CountAsync(Token)).Utf8!));
    }

    private static async Task<IReadOnlyList<(string Name, long Generation)>> StoredAsync(DatabaseBench bench, string prefix)
    {
        var stored = new List<(string, long)>();
        await foreach (var piece in bench.Bucket.ListAsync(prefix, cancellationToken: Token)) stored.Add((piece.Name, piece.Generation));
        return stored;
    }

    private static Task PublishedAsync(OrgDatabase database) => database.WaitUntilPublishedAsync(Token).WaitAsync(TimeSpan.FromMinutes(2), Token);

    /// <summary>
    /// A refusal in the middle of a resumable upload ends the reading side of a pipe whose writing side then waits for ever: no
    /// error, no further upload, no end on SIGTERM.
    /// </summary>
    [Fact]
    public async Task LargeUpload_RefusedInTheMiddle_IsHealedByAnotherProcess()
    {
        await using var bench = await DatabaseBench.StartAsync(new()
        {
            ["Litestream:MaxLag"] = "00:00:05",
            ["Litestream:ReplicatedWait"] = "00:02:00",
            ["Litestream:MaxLagBytes"] = "1000000000",
        });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("first"), Token);
        await database.FlushAsync(Token);

        // One upload hangs while more than a chunk of 16 MB is written, which then goes as one piece.
        await bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"stall"}]""");
        await database.CreateAsync(new ContactFields("hangs"), Token);
        await Eventually.GetAsync(async () => await bench.FaultsAsync() > 0 ? "yes" : null, "it hangs");
        const int Rows = 120;
        for (var i = 0; i < Rows; i++)
            await database.CreateAsync(new ContactFields($"c{i}", Notes: Convert.ToBase64String(RandomNumberGenerator.GetBytes(180_000))), Token);
        await bench.SetFaultsAsync("""[{"method":"continueUpload","namePrefix":"litestream-replicas/","action":"status","status":403,"count":1}]""");
        var last = await database.CreateAsync(new ContactFields("last"), Token);
        await database.WaitReplicatedAsync(last.Commit, Token);

        // Asked to end, it uploads the rest by another way, and hangs all the same. On a busy machine, so may the one before.
        await Eventually.IsAsync(() => database.Status().Remedies is { Stalls: >= 1, Kills: >= 1 }, "the stuck one is killed");
        await CheckRestoredAsync(bench, Rows + 3);
        await database.CloseAsync(Token);
        await CheckRestoredAsync(bench, Rows + 3);
    }

    [Fact]
    public async Task Writes_BucketGone_AreSlowedThenRefused_AndTheWalStopsGrowing()
    {
        const long Limit = 256 * 1024;
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:MaxLagBytes"] = $"{Limit}", ["Database:MaxWriteWait"] = "00:00:01" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("first"), Token);
        await database.FlushAsync(Token);
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");

        var written = 0;
        var refusals = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (; ; )
            {
                try
                {
                    await database.CreateAsync(new ContactFields("x", Notes: new string('n', 3000)), Token);
                    Interlocked.Increment(ref written);
                }
                catch (OrganizationException e)
                {
                    return e;
                }
            }
        }));
        Assert.All(refusals, refusal => Assert.Equal((OrganizationErrorCode.TooManyRequests, true), (refusal.Code, refusal.RetryAfter > TimeSpan.Zero)));
        // Past the limit by one write of some pages, and by pokes.
        var status = database.Status();
        Assert.InRange(status.LagBytes, Limit, Limit + (32 * 4120));
        Assert.InRange(status.WalBytes, Limit, 2 * Limit);
        await database.CountAsync(Token); // reads go on

        // One that waits is in nobody's way: the flush below takes the write lock for its mark.
        var waiting = database.CreateAsync(new ContactFields("waited"), Token);
        await bench.ClearFaultsAsync();
        await database.FlushAsync(Token);
        try
        {
            await waiting;
            written++;
        }
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.TooManyRequests)
        {
            // The bucket came back too late for it.
        }
        await database.CreateAsync(new ContactFields("after"), Token);
        await database.CloseAsync(Token);
        await CheckRestoredAsync(bench, written + 2);
    }

    [Theory]
    [InlineData(Durability.Local, "LITESTREAM_MONITOR_INTERVAL=7000ms", "LITESTREAM_SYNC_INTERVAL=8000ms")]
    [InlineData(Durability.Replicated, "LITESTREAM_MONITOR_INTERVAL=70ms", "LITESTREAM_SYNC_INTERVAL=80ms")]
    public async Task Intervals_AreThoseOfTheDurability(Durability durability, string monitor, string sync)
    {
        await using var bench = await DatabaseBench.StartAsync(new()
        {
            ["Litestream:MonitorInterval"] = "00:00:07",
            ["Litestream:SyncInterval"] = "00:00:08",
            ["Litestream:ReplicatedMonitorInterval"] = "00:00:00.070",
            ["Litestream:ReplicatedSyncInterval"] = "00:00:00.080",
        });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo with { Durability = durability });
        string[] environment = [];
        await Eventually.IsAsync(
            () => database.Status().LitestreamPid is { } pid && (environment = File.ReadAllText($"/proc/{pid}/environ").Split('\0')).Contains(monitor), "Litestream runs");
        Assert.Contains(sync, environment);
    }
}
