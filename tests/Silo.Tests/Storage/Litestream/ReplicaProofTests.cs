using K4os.Compression.LZ4.Streams;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Litestream;

public sealed class ReplicaProofTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly GenerationInventory _generation = new("r", 1, "0123456789abcdef");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WalsOfOneLength_InARow_AreFollowed()
    {
        using var database = OrgConnection.OpenWriter(_folder["a.db"]);
        database.Execute("CREATE TABLE t (n INTEGER)");
        var (first, second) = (NextWal(database, 1), NextWal(database, 2));
        Assert.Equal(File.ReadAllBytes(first).Length, File.ReadAllBytes(second).Length);
        var snapshot = new ReplicaSnapshot(Item("snapshots/00000001.snapshot.lz4"), 1);
        var plan = new RestorePlan(
            _generation, snapshot, [new(Stored("wal/00000001_00000000.wal.lz4", first), 1, 0), new(Stored("wal/00000002_00000000.wal.lz4", second), 2, 0)], [], new Dictionary<int, long>());
        using var folder = new ReplicaFolder(_folder["replica"], plan);

        new ReplicaProof(plan, folder).FollowWal(TestContext.Current.CancellationToken);
    }

    /// <summary>A copy of a WAL that has one row.</summary>
    private string NextWal(Microsoft.Data.Sqlite.SqliteConnection database, int row)
    {
        database.Execute($"PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES ({row})");
        var copy = _folder[$"wal-{row}"];
        File.Copy(_folder["a.db-wal"], copy);
        return copy;
    }

    private BucketObject Stored(string name, string file)
    {
        var path = Path.Combine(_folder["replica"], "generations", _generation.Generation, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var content = File.OpenRead(file);
        using var stored = LZ4Stream.Encode(File.Create(path));
        content.CopyTo(stored);
        return Item(name);
    }

    private BucketObject Item(string name) => new(_generation.Root + name, 1, 1, 1, DateTimeOffset.UnixEpoch, null);
}
