using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Litestream;

/// <summary>Litestream's checkpoints beside our writes and reads: no commit is lost, and none waits for ever.</summary>
public sealed class CheckpointTests(ITestOutputHelper output)
{
    private const int Databases = 4;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// As many checkpoints as <c>SILO_TEST_CHECKPOINTS</c> says, made frequent by a WAL of a few pages, under all the writes that
    /// the machine can do, in several databases at once. What is restored is what was answered, row by row.
    /// </summary>
    [Fact]
    public async Task Checkpoints_UnderFullLoad_LoseNoCommit()
    {
        var wanted = int.Parse(Environment.GetEnvironmentVariable("SILO_TEST_CHECKPOINTS") ?? "600", CultureInfo.InvariantCulture);
        await using var bench = await DatabaseBench.StartAsync(new()
        {
            ["Litestream:MonitorInterval"] = "00:00:00.010",
            ["Litestream:SyncInterval"] = "00:00:00.500",
            ["Database:FlushTimeout"] = "00:10:00",
        });
        var silo = bench.Silo("a");
        silo.GetRequiredService<LitestreamRuntime>().Options.CheckpointPages = 8; // far below what the option allows
        var made = await Task.WhenAll(Enumerable.Range(0, Databases).Select(i => LoadAsync(bench, silo, DatabaseBench.Org($"load{i}"), (wanted + Databases - 1) / Databases)));
        output.WriteLine($"{made.Sum(found => found.Checkpoints)} checkpoints, {made.Sum(found => found.Writes)} writes");
        Assert.InRange(made.Sum(found => found.Checkpoints), wanted, int.MaxValue);
    }

    private static async Task<(int Checkpoints, int Writes)> LoadAsync(DatabaseBench bench, ServiceProvider silo, Organization organization, int checkpoints)
    {
        var rows = new Dictionary<string, string>();
        var (writes, generation) = (0, "");
        await using (var database = await DatabaseBench.OpenAsync(silo, organization))
        {
            for (var made = 0; made < checkpoints; made = CountCheckpoints(bench, organization))
            {
                for (var i = 0; i < 50; i++, writes++)
                {
                    var name = $"{writes}-{new string((char)('a' + (writes % 26)), writes % 400)}";
                    var fields = new ContactFields(name[..Math.Min(200, name.Length)], $"{writes}@x.test", Notes: name);
                    if (writes % 5 == 3) rows[(await database.ReplaceAsync(rows.Keys.First(), fields, Token)).Id] = name;
                    else if (writes % 5 == 4) rows.Remove((await database.DeleteAsync(rows.Keys.Last(), isRepeated: false, Token)).Id);
                    else rows[(await database.CreateAsync(fields, Token)).Id] = name;
                }
            }
            var status = database.Status();
            Assert.True(status.LitestreamRestarts == 0, $"{status}");
            generation = status.Generation!;
            await database.CloseAsync(Token);
        }

        Assert.Equal(generation, (await bench.HeadAsync(organization)).Truth!.Generation);
        var last = 0;
        await foreach (var segment in bench.Bucket.ListAsync($"{organization.GcsReplicaPath}/epoch-000000000001/generations/{generation}/wal/", cancellationToken: Token))
            last = Math.Max(last, int.Parse(segment.Name.Split('/')[^1].AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture));

        using var outside = OrgConnection.OpenWriter(await bench.RestoreAsOutsiderAsync(organization));
        Assert.Equal("ok", outside.Scalar<string>("PRAGMA integrity_check"));
        using var command = outside.CreateCommand();
        command.CommandText = "SELECT id, notes FROM contacts";
        using var found = command.ExecuteReader();
        while (found.Read())
        {
            Assert.True(rows.Remove(found.GetString(0), out var expected), "a row that was never written, or was deleted");
            Assert.Equal(expected, found.GetString(1));
        }
        Assert.Empty(rows);
        return (last, writes);
    }

    /// <summary>Litestream numbers the WALs of a generation; the next one begins after a checkpoint.</summary>
    private static int CountCheckpoints(DatabaseBench bench, Organization organization) =>
        Directory.EnumerateFiles(bench.Folder[$"a/{organization.Id.Value}"], "*.wal", SearchOption.AllDirectories)
            .Select(file => int.Parse(Path.GetFileNameWithoutExtension(file), NumberStyles.HexNumber, CultureInfo.InvariantCulture)).DefaultIfEmpty().Max();

    /// <summary>
    /// A WAL is reset only when no reader is in it, and reads that overlap all the time leave no such moment: the readers have to
    /// stand back.
    /// </summary>
    [Fact]
    public async Task Checkpoints_BesideReadsThatNeverPause_LetWritesGoOn()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:CheckpointWait"] = "00:00:15" });
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        // Enough for a read to take some milliseconds.
        for (var i = 0; i < 300; i++) await database.CreateAsync(new ContactFields($"c{i}", Notes: new string('n', 10_000)), Token);
        await database.FlushAsync(Token);
        silo.GetRequiredService<LitestreamRuntime>().Options.CheckpointPages = 100;
        await database.DisposeAsync();

        await using var loaded = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var reads = 0;
        var reading = Enumerable.Range(0, 8).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                await loaded.ListAsync(new ContactListQuery(500, null, null), Token);
                Interlocked.Increment(ref reads);
            }
        }).ToList();
        await Eventually.IsAsync(() => Volatile.Read(ref reads) > 20, "the reads run");
        try
        {
            for (var i = 0; i < 60; i++) await loaded.CreateAsync(new ContactFields($"beside{i}", Notes: new string('n', 10_000)), Token);
        }
        finally
        {
            await enough.CancelAsync();
            await Task.WhenAll(reading);
        }
        await loaded.CloseAsync(Token);
    }
}
