using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace Silo.Tests.GcsEmulator;

/// <summary>Litestream itself replicates into the emulator and restores from it.</summary>
public sealed class LitestreamTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-gcs-");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Litestream_SnapshotAndSegments_AreRestored()
    {
        var litestream = ClientTools.Litestream;
        await using var emulator = await Emulator.StartAsync();
        await using var database = CreateDatabase(rows: 30_000); // a snapshot of more than 16 MB: Litestream uploads it in several pieces
        var configuration = WriteConfiguration();

        using var replication = Start(litestream, emulator, "replicate", "-config", configuration);
        using var ended = new Kill(replication);
        await UntilLogAsync(replication, "snapshot written");
        Assert.True((await emulator.StatisticsAsync()).GetProperty("requests").GetProperty("continueUpload").GetInt32() > 1);
        Execute(database, "INSERT INTO t(content) VALUES ('late')");
        // Not ended by SIGTERM: one that meets an upload makes this version hang.
        while (await RestoreAndCountAsync(litestream, emulator, configuration) < 30_001) Assert.False(replication.HasExited);
        ended.Dispose();

        await emulator.RestartAsync();
        Assert.Equal(30_001, await RestoreAndCountAsync(litestream, emulator, configuration));
    }

    [Fact]
    public async Task Litestream_RefusedAtFirst_TriesAgain()
    {
        var litestream = ClientTools.Litestream;
        await using var emulator = await Emulator.StartAsync();
        await using var database = CreateDatabase(rows: 10);
        await emulator.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"organizations/","action":"status","status":403,"count":2}]""");
        using var replication = Start(litestream, emulator, "replicate", "-config", WriteConfiguration());
        using var ended = new Kill(replication);
        var written = UntilLogAsync(replication, "snapshot written");
        await Eventually.IsAsync(
            () =>
            {
                Execute(database, "INSERT INTO t(content) VALUES (1)"); // it tries again only when the database changes
                return written.IsCompleted;
            }, "the snapshot is written");
        await written;
        ended.Dispose();
        Assert.Equal(2, (await emulator.StatisticsAsync()).GetProperty("faults").GetInt32());
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<long> RestoreAndCountAsync(string litestream, Emulator emulator, string configuration)
    {
        File.Delete(PathOf("restored.db"));
        using var restore = Start(litestream, emulator, "restore", "-config", configuration, "-o", PathOf("restored.db"), PathOf("source.db"));
        var log = await restore.StandardOutput.ReadToEndAsync(Cancellation);
        await restore.WaitForExitAsync(Cancellation);
        Assert.True(restore.ExitCode == 0, log);
        await using var restored = Open("restored.db");
        Assert.Equal("ok", Execute(restored, "PRAGMA integrity_check"));
        return (long)Execute(restored, "SELECT count(*) FROM t")!;
    }

    private SqliteConnection CreateDatabase(int rows)
    {
        var database = Open("source.db");
        Execute(database, "PRAGMA journal_mode=WAL");
        Execute(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, content)");
        Execute(database, $"INSERT INTO t(content) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows}) SELECT randomblob(1000) FROM n");
        return database;
    }

    private SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection($"Data Source={PathOf(file)};Pooling=False");
        connection.Open();
        return connection;
    }

    private static object? Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private string WriteConfiguration()
    {
        var configuration = PathOf("litestream.yml");
        File.WriteAllText(configuration, $$"""
            dbs:
              - path: {{PathOf("source.db")}}
                replicas:
                  - url: gcs://{{Emulator.Bucket}}/organizations/demo
                    sync-interval: 50ms
            """);
        return configuration;
    }

    private static Process Start(string litestream, Emulator emulator, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(litestream, arguments)
        {
            RedirectStandardOutput = true,
            Environment = { ["STORAGE_EMULATOR_HOST"] = emulator.Http.BaseAddress!.Authority },
        })!;

    private static async Task UntilLogAsync(Process litestream, string message)
    {
        while (await litestream.StandardOutput.ReadLineAsync(Cancellation) is { } line)
        {
            if (line.Contains(message, StringComparison.Ordinal)) return;
        }
        Assert.Fail($"Litestream ended before it said '{message}'.");
    }

    private string PathOf(string file) => Path.Combine(_folder.FullName, file);

    /// <summary>Ends a process at the latest when the test ends, however that ends.</summary>
    private sealed class Kill(Process process) : IDisposable
    {
        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
        }
    }
}
