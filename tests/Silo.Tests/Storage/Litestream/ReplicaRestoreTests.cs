using K4os.Compression.LZ4.Streams;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts.Contacts;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Litestream;

/// <summary>
/// One replica of several WALs that the real Litestream made, and every loss and damage of every object of it: the restore fails. This test found that Litestream's restore alone takes most losses without a word.
/// </summary>
public sealed class ReplicaRestoreTests(ReplicaRestoreTests.Replica replica) : IClassFixture<ReplicaRestoreTests.Replica>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private const string EveryRow = "60 rows";

    public static TheoryData<Damage> Damages => [.. Enum.GetValues<Damage>()];

    public enum Damage
    {
        /// <summary>Nothing at all.</summary>
        None,
        Gone,
        Emptied,
        Halved,
        EndCut,
        ChecksumCut,
        Flipped,
        OfAnother,
        OfANeighbour,
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task Restore_AnyObjectDamaged_Fails(Damage damage)
    {
        var names = await replica.ObjectsAsync("demo");
        Assert.Contains(names, name => name.Contains("/wal/00000002_", StringComparison.Ordinal));
        Assert.Contains(names, name => name.Contains("/ends/00000001_", StringComparison.Ordinal));
        foreach (var name in names.Where(name => !name.Contains("/ends/", StringComparison.Ordinal)))
        {
            var intact = (await replica.Bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes;
            await replica.DamageAsync(name, intact, damage);
            var because = await UndoneAsync(name, intact);
            if (damage == Damage.None) Assert.Equal(EveryRow, because);
            // Whatever is lost at the very end was never there, as far as the replica goes: that is for the head's mark to tell.
            else if (damage == Damage.Gone && name == names.Last(other => other.Contains("/wal/", StringComparison.Ordinal))) Assert.EndsWith("rows", because, StringComparison.Ordinal);
            else Assert.True(!because.EndsWith("rows", StringComparison.Ordinal), $"{name} was {damage}, and nobody noticed.");
            if (damage == Damage.None) break;
        }
        Assert.Equal(EveryRow, await replica.RestoreAsync());
    }

    private async Task<string> UndoneAsync(string name, byte[] intact)
    {
        try
        {
            return await replica.RestoreAsync();
        }
        finally
        {
            await replica.Bench.Bucket.UploadAsync(name, intact, "application/octet-stream", null, Token);
        }
    }

    /// <summary>A mark that was put too early says nothing against the pieces beyond it, which prove themselves; one too late does.</summary>
    [Theory]
    [InlineData(-1048, true)]
    [InlineData(1048, false)]
    public async Task Restore_MarkBesideTheEndOfAWal_FailsOnlyIfPiecesAreMissing(int off, bool isWhole)
    {
        var mark = (await replica.ObjectsAsync("demo")).First(name => name.Contains("/ends/00000001_", StringComparison.Ordinal));
        var other = mark[..^8] + (Convert.ToInt32(mark[^8..], 16) + off).ToString("x8", System.Globalization.CultureInfo.InvariantCulture);
        await replica.Bench.Bucket.DeleteAsync(mark, null, Token);
        await replica.Bench.Bucket.UploadAsync(other, Array.Empty<byte>(), "application/octet-stream", null, Token);
        try
        {
            var restored = await replica.RestoreAsync();
            Assert.Contains(isWhole ? "60 rows" : "is followed by nothing", restored, StringComparison.Ordinal);
        }
        finally
        {
            await replica.Bench.Bucket.DeleteAsync(other, null, Token);
            await replica.Bench.Bucket.UploadAsync(mark, Array.Empty<byte>(), "application/octet-stream", null, Token);
        }
    }

    [Fact]
    public async Task Restore_GenerationThatIsNotThere_Fails() =>
        Assert.Contains("no snapshot", await replica.RestoreAsync("0123456789abcdef"), StringComparison.Ordinal);

    /// <summary>Two organizations with the same writes, each with three WALs.</summary>
    public sealed class Replica : IAsyncLifetime
    {
        private const int Rows = 60;
        private ReplicaReference _truth = null!;
        private int _files;

        public DatabaseBench Bench { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Bench = await DatabaseBench.StartAsync(new() { ["Litestream:CheckpointPages"] = "100" });
            foreach (var organization in (string[])["demo", "other"])
            {
                await using var database = await DatabaseBench.OpenAsync(Bench.Silo("maker"), DatabaseBench.Org(organization));
                for (var i = 0; i < Rows; i++)
                {
                    var done = await database.CreateAsync(new ContactFields($"c{i}", Notes: new string('n', 9000)), Token);
                    if (i % 5 == 0) await database.WaitReplicatedAsync(done.Commit, Token);
                }
                await database.CloseAsync(Token);
            }
            _truth = (await Bench.HeadAsync(DatabaseBench.Demo)).Truth!;
        }

        public async Task<List<string>> ObjectsAsync(string organization)
        {
            var names = new List<string>();
            await foreach (var found in Bench.Bucket.ListAsync($"litestream-replicas/{organization}/", cancellationToken: Token)) names.Add(found.Name);
            return names;
        }

        public async Task DamageAsync(string name, byte[] intact, Damage damage)
        {
            if (damage == Damage.Gone)
            {
                await Bench.Bucket.DeleteAsync(name, null, Token);
                return;
            }
            var damaged = damage switch
            {
                Damage.Emptied => [],
                Damage.Halved => intact[..(intact.Length / 2)],
                Damage.EndCut => intact[..^8],
                Damage.ChecksumCut => intact[..^4],
                Damage.Flipped => Flip(intact),
                Damage.OfAnother => await LikeAsync("other", name),
                Damage.OfANeighbour => await LikeAsync("demo", name),
                _ => intact,
            };
            await Bench.Bucket.UploadAsync(name, damaged, "application/octet-stream", null, Token);
        }

        /// <summary>Flips a bit in the middle, or the next one after it that means anything: within a run of zeros, one distance is as good as another.</summary>
        private static byte[] Flip(byte[] intact)
        {
            var content = Decoded(intact)!;
            for (var at = intact.Length / 2; ; at++)
            {
                byte[] flipped = [.. intact];
                flipped[at] ^= 0x10;
                if (Decoded(flipped)?.SequenceEqual(content) != true) return flipped;
            }
        }

        /// <returns>Null where the bytes are no LZ4.</returns>
        private static byte[]? Decoded(byte[] bytes)
        {
            try
            {
                using var content = LZ4Stream.Decode(new MemoryStream(bytes));
                using var decoded = new MemoryStream();
                content.CopyTo(decoded);
                return decoded.ToArray();
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ArgumentException or InvalidOperationException)
            {
                return null;
            }
        }

        /// <summary>Restores the truth of the head.</summary>
        /// <returns>How many rows there are, or why it failed.</returns>
        public async Task<string> RestoreAsync(string? generation = null)
        {
            var file = Bench.Folder[$"restored-{++_files}.db"];
            try
            {
                await Bench.Silo("restore").GetRequiredService<LitestreamRuntime>().Restore.RunAsync(
                    DatabaseBench.Demo.Id, "litestream-replicas/demo", _truth with { Generation = generation ?? _truth.Generation }, file, Token);
            }
            catch (Exception e) when (e is ReplicaIncompleteException or LitestreamException)
            {
                return e.Message;
            }
            finally
            {
                Assert.False(Directory.Exists(file + "-replica"));
            }
            await using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ToString());
            connection.Open();
            using var count = connection.CreateCommand();
            count.CommandText = "SELECT count(*) FROM contacts WHERE length(notes) = 9000";
            return $"{count.ExecuteScalar()} rows";
        }

        public ValueTask DisposeAsync() => Bench.DisposeAsync();

        /// <summary>An object of the same kind: another organization's, or the one beside it.</summary>
        private async Task<byte[]> LikeAsync(string organization, string name)
        {
            var kind = name.Contains("/wal/", StringComparison.Ordinal) ? "/wal/" : "/snapshots/";
            var others = (await ObjectsAsync(organization)).Where(other => other != name && other.Contains(kind, StringComparison.Ordinal)).ToList();
            // Of one snapshot there is no neighbour; a piece of the WAL stands in its place.
            if (others.Count == 0) others = (await ObjectsAsync(organization)).Where(other => other.Contains("/wal/", StringComparison.Ordinal)).ToList();
            var near = others.Find(other => string.CompareOrdinal(Path.GetFileName(other), Path.GetFileName(name)) >= 0) ?? others[^1];
            return (await Bench.Bucket.DownloadAsync(near, Token))!.Value.Bytes;
        }
    }
}
