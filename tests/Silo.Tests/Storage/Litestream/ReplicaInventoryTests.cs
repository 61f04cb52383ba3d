using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Litestream;

/// <summary>What is found of a generation that was written for days, whose objects fill more than a page.</summary>
public sealed class ReplicaInventoryTests
{
    private const string Path = "litestream-replicas/demo";
    private const string Generation = "0123456789abcdef";
    private const string Root = $"{Path}/epoch-000000000003/generations/{Generation}/";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Newest_OfManyObjects_IsTheSameAsOfAll()
    {
        await using var bench = await DatabaseBench.StartAsync();
        IEnumerable<string> names =
        [
            "snapshots/00000000.snapshot.lz4", "snapshots/00000010.snapshot.lz4", "ends/0000000f_00000020", "ends/00000010_00001030",
            .. Enumerable.Range(0, 16).SelectMany(index => Enumerable.Range(0, 64).Select(piece => $"wal/{index:x8}_{piece * 32:x8}.wal.lz4")),
            "wal/00000010_00000000.wal.lz4", "wal/00000010_00001030.wal.lz4", "wal/00000011_00000000.wal.lz4",
        ];
        await Parallel.ForEachAsync(names, Token, async (name, token) => await bench.Bucket.UploadAsync(Root + name, Array.Empty<byte>(), "application/octet-stream", null, token));
        var inventory = new ReplicaInventory(bench.Bucket);

        var plan = await inventory.ReadNewestAsync(Path, new ReplicaReference(3, Generation, 0), Token);

        Assert.Equal(0x10, plan.Snapshot.Index);
        Assert.Equal([(0x10, 0L), (0x10, 0x1030L), (0x11, 0L)], plan.Segments.Select(segment => (segment.Index, segment.Offset)));
        Assert.Equal(0x1030, plan.Ends[0x10]);
        var all = (await inventory.ReadAllAsync(Path, 3, Token)).Single();
        Assert.Equal(all.Newest().Segments, plan.Segments);
        Assert.Equal(all.Began, await inventory.BeganAsync(Path, 3, Token));

        // One that was written just before its owner died.
        await bench.Bucket.UploadAsync(Root + "snapshots/00000012.snapshot.lz4", Array.Empty<byte>(), "application/octet-stream", null, Token);
        plan = await inventory.ReadNewestAsync(Path, new ReplicaReference(3, Generation, 0), Token);
        Assert.Equal((0x12, 0), (plan.Snapshot.Index, plan.Segments.Count));
    }
}
