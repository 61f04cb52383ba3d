using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Databases;

/// <summary>What goes is what no moment within the retention needs, and never what the head names.</summary>
public sealed class ReplicaRetentionTests
{
    private const string Path = "litestream-replicas/demo";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sweep_EpochsThatEndedBeforeTheRetention_GoAndEveryMomentWithinItStays()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var ends = new List<DateTimeOffset>();
        for (var epoch = 1; epoch <= 4; epoch++) ends.Add(await LiveAsync(bench));
        // Since the end of the second epoch: what was true then is what that epoch left.
        var since = ends[1];

        Assert.True(await SweepAsync(bench, since) > 0);

        Assert.Equal([2, 3, 4], await EpochsAsync(bench));
        for (var epoch = 2; epoch <= 4; epoch++)
        {
            await using var past = await bench.Silo("past").GetRequiredService<OrgDatabaseOpening>().BringBackAsync(DatabaseBench.Demo, ends[epoch - 1], Token);
            Assert.Equal((epoch, epoch), (past.Epoch, past.Contacts));
        }
        Assert.Equal(0, await SweepAsync(bench, since));
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
    }

    [Fact]
    public async Task Sweep_WhateverIsDue_WhatTheHeadNamesStays()
    {
        await using var bench = await DatabaseBench.StartAsync();
        for (var epoch = 1; epoch <= 4; epoch++) await LiveAsync(bench);
        // An owner died before it published: the second epoch is what is to be restored, whatever is there of later ones.
        var found = (await new HeadStore(bench.Bucket, TimeProvider.System).ReadAsync(DatabaseBench.Demo.Id, Token))!;
        var second = await GenerationAsync(bench, 2);
        await bench.WriteHeadAsync(DatabaseBench.Demo, found, found.Head with { State = HeadState.Acquiring, Base = new ReplicaReference(2, second, 0), Current = null });

        await SweepAsync(bench, DateTimeOffset.MaxValue);

        Assert.Equal([2, 4], await EpochsAsync(bench));
    }

    [Fact]
    public async Task Sweep_ReplicaOfTheOlderSystem_GoesWhenItIsNoBase()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await LiveAsync(bench);
        await foreach (var item in bench.Bucket.ListAsync($"{Path}/epoch-000000000001/", cancellationToken: Token))
        {
            var older = item.Name.Replace("/epoch-000000000001/", "/", StringComparison.Ordinal);
            await bench.Bucket.UploadAsync(older, (await bench.Bucket.DownloadAsync(item.Name, Token))!.Value.Bytes, "application/octet-stream", 0, Token);
            await bench.Bucket.DeleteAsync(item.Name, null, Token);
        }
        await bench.Bucket.DeleteAsync("heads/demo.json", null, Token);
        await LiveAsync(bench); // adopts it
        Assert.Equal(0, await SweepAsync(bench, DateTimeOffset.MaxValue));
        await LiveAsync(bench); // has another base

        Assert.True(await SweepAsync(bench, DateTimeOffset.MaxValue) > 0);

        Assert.Equal([1, 2], await EpochsAsync(bench));
        Assert.False(await bench.Bucket.ExistsAnyAsync($"{Path}/generations/", Token));
    }

    /// <summary>An organization that is open all day makes more objects in an epoch than are deleted in one turn.</summary>
    [Fact]
    public async Task Sweep_MoreObjectsThanGoInOneTurn_GoesOnUntilAllAreGone()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await LiveAsync(bench);
        await Parallel.ForAsync(0, 1_200, Token, async (i, token) =>
            await bench.Bucket.UploadAsync($"{Path}/epoch-000000000001/generations/0123456789abcdef/wal/{i:x8}_00000000.wal.lz4", Array.Empty<byte>(), "application/octet-stream", null, token));
        for (var epoch = 2; epoch <= 3; epoch++) await LiveAsync(bench);
        var options = Options.Create(new DatabaseOptions { ReplicaRetention = TimeSpan.Zero });
        var retention = new ReplicaRetention(bench.Bucket, new HeadStore(bench.Bucket, TimeProvider.System), options, TimeProvider.System, NullLoggerFactory.Instance);
        retention.Ask(DatabaseBench.Demo.Id, Path, Task.CompletedTask);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = retention.RunAsync(stop.Token);
        await Eventually.GetAsync(async () => (await EpochsAsync(bench)).Contains(1) ? null : "gone", "the first epoch is deleted");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task Opening_Published_IsSwept()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Database:ReplicaRetention"] = "00:00:01" });
        var silo = bench.Silo("a");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = silo.GetRequiredService<ReplicaRetention>().RunAsync(stop.Token);
        await Eventually.GetAsync(async () =>
        {
            await LiveAsync(bench, silo);
            return (await EpochsAsync(bench)).First() > 1 ? "gone" : null;
        }, "the first epoch is deleted once the second is a second old");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    /// <summary>One life of the database, with one row more.</summary>
    /// <returns>When its last object was written.</returns>
    private static async Task<DateTimeOffset> LiveAsync(DatabaseBench bench, ServiceProvider? silo = null)
    {
        await using var database = await DatabaseBench.OpenAsync(silo ?? bench.Silo("maker"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("c"), Token);
        await database.CloseAsync(Token);
        var last = default(DateTimeOffset);
        await foreach (var item in bench.Bucket.ListAsync(Path + "/", cancellationToken: Token)) last = item.Updated > last ? item.Updated : last;
        return last;
    }

    /// <summary>Sweeps as if the retention had begun at a moment.</summary>
    private static async Task<int> SweepAsync(DatabaseBench bench, DateTimeOffset since)
    {
        var now = (await bench.Bucket.GetAsync("heads/demo.json", Token))!.Updated;
        var options = Options.Create(new DatabaseOptions { ReplicaRetention = since > now ? TimeSpan.Zero : now - since });
        var retention = new ReplicaRetention(bench.Bucket, new HeadStore(bench.Bucket, TimeProvider.System), options, TimeProvider.System, NullLoggerFactory.Instance);
        return await retention.SweepAsync(DatabaseBench.Demo.Id, Path, Token);
    }

    private static async Task<string> GenerationAsync(DatabaseBench bench, int epoch)
    {
        await foreach (var item in bench.Bucket.ListAsync($"{Path}/epoch-{epoch:D12}/generations/", cancellationToken: Token)) return item.Name.Split('/')[4];
        throw new InvalidOperationException("The epoch has no generation.");
    }

    private static async Task<IEnumerable<long>> EpochsAsync(DatabaseBench bench) => (await EpochPrefixes.ListAsync(bench.Bucket, Path, Token)).Epochs;
}
