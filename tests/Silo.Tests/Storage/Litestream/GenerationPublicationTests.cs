using Silo.Contracts.Contacts;
using Silo.Storage.Sqlite;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Litestream;

/// <summary>Litestream begins a new generation by itself, in the middle of an activation: the head follows, and nothing falls between the two.</summary>
public sealed class GenerationPublicationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What Litestream knows of its own past, gone: it cannot tell any more where it left off.</summary>
    private static void Forget(DatabaseBench bench, string what)
    {
        var state = Directory.EnumerateDirectories(bench.Folder["a"], ".org-demo.db-litestream", SearchOption.AllDirectories).Single();
        var files = what == "generation" ? [Path.Combine(state, "generation")] : Directory.GetFiles(state, "*.wal", SearchOption.AllDirectories);
        // The newest last: without it, Litestream would go on from the one before.
        foreach (var file in files.Order(StringComparer.Ordinal)) File.Delete(file);
    }

    private static async Task<string> GenerationAsync(DatabaseBench bench) => (await bench.HeadAsync(DatabaseBench.Demo)).Current!.Generation;

    private static async Task<long> RestoreCountAsync(DatabaseBench bench)
    {
        using var outside = OrgConnection.OpenWriter(await bench.RestoreAsOutsiderAsync(DatabaseBench.Demo));
        Assert.Equal("ok", outside.Scalar<string>("PRAGMA integrity_check"));
        return outside.Scalar<long>("SELECT count(*) FROM contacts");
    }

    [Theory]
    [InlineData("generation")]
    [InlineData("shadow WAL")]
    public async Task Litestream_BeginsAGenerationByItself_ReplicatedWritesAreInWhatTheHeadNames(string forgotten)
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:ReplicatedWait"] = "00:01:00" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var written = 0;
        for (var round = 0; round < 2; round++)
        {
            await WriteAsync(3);
            var before = await GenerationAsync(bench);
            Forget(bench, forgotten);
            await WriteAsync(3); // some of it may still arrive under the old name
            await Eventually.IsAsync(() => database.Status().Generation != before, "the head names the new generation");
            await WriteAsync(3);
            Assert.Equal(written, await RestoreCountAsync(bench));
        }
        Assert.Equal(0, database.Status().LitestreamRestarts);

        async Task WriteAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var done = await database.CreateAsync(new ContactFields($"c{written}"), Token);
                await database.WaitReplicatedAsync(done.Commit, Token);
                Assert.Equal(++written, await RestoreCountAsync(bench));
            }
        }
    }

    /// <summary>
    /// After a checkpoint of its own, Litestream's snapshot is the file as that left it; what was committed since is only in the
    /// first piece of WAL. A head that named the generation before that piece is there would take confirmed rows back.
    /// </summary>
    [Fact]
    public async Task Publication_OfTheNextGeneration_TakesNothingBackThatWasConfirmed()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:CheckpointPages"] = "100", ["Litestream:ReplicatedWait"] = "00:01:00" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        for (var i = 0; i < 110; i++) await database.CreateAsync(new ContactFields($"c{i}"), Token);
        await database.FlushAsync(Token);
        var before = await GenerationAsync(bench);
        Assert.Equal(110, await RestoreCountAsync(bench));

        // Every upload takes this much longer, the snapshot as well as the piece of WAL after it.
        await bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"delay","delayMs":3000}]""");
        Forget(bench, "shadow WAL");
        await Eventually.GetAsync(async () => await GenerationAsync(bench) is var now && now != before ? now : null, "the head names the new generation");
        Assert.Equal(110, await RestoreCountAsync(bench));
    }
}
