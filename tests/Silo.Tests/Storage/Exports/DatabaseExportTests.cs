using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Exports;
using Silo.Storage.Sqlite;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Exports;

/// <summary>An export is one moment of a database that goes on; it is bounded, and what it costs others is too.</summary>
public sealed class DatabaseExportTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Export_BesideWrites_IsOneMomentInOneFile()
    {
        // These writes never pause, and tests beside this one may slow the copies down: none is to be given up here.
        await using var bench = await DatabaseBench.StartAsync(new() { ["Exports:MaxWriteHold"] = "00:00:30", ["Litestream:CheckpointWait"] = "00:01:00" });
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        for (var i = 0; i < 100; i++) await AddAsync(database, i);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var written = 100;
        var writing = Task.Run(
            async () =>
            {
                for (; !enough.IsCancellationRequested; written++) await AddAsync(database, written);
            }, Token);
        try
        {
            for (var round = 0; round < 10; round++)
            {
                var before = Volatile.Read(ref written);
                await using var export = silo.GetRequiredService<DatabaseExports>().Begin(database);
                var made = await export.Made;
                var file = await FetchAsync(bench, export, made, $"export-{round}.db");
                Assert.Equal(made.Sha256, Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file, Token))));
                var names = Read(file, "SELECT name FROM contacts ORDER BY seq");
                // All of the writes up to a moment, and none after it.
                Assert.Equal(Enumerable.Range(0, names.Count).Select(Name), names);
                Assert.InRange(names.Count, before, Volatile.Read(ref written) + 1);
                Assert.Empty(Read(file, "SELECT name FROM sqlite_schema WHERE name LIKE '%litestream%'"));
                Assert.Equal(["demo"], Read(file, "SELECT value FROM silo_meta WHERE key = 'organization_id'"));
                Assert.Equal([OrgSchema.Version.ToString(CultureInfo.InvariantCulture)], Read(file, "SELECT user_version FROM pragma_user_version"));
                // No WAL is needed to read it, so it can be read where nothing may be written.
                Assert.Equal([1, 1], (await File.ReadAllBytesAsync(file, Token))[18..20]);
            }
        }
        finally
        {
            await enough.CancelAsync();
            await writing;
        }
        Assert.Empty(Left(bench));
        await database.CloseAsync(Token);
        Assert.Equal(written, Read(await bench.RestoreAsOutsiderAsync(DatabaseBench.Demo), "SELECT name FROM contacts").Count);
    }

    [Fact]
    public async Task Export_OnTheDisk_IsForThisUserOnly()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await using var export = silo.GetRequiredService<DatabaseExports>().Begin(database);
        await export.Made;
        var file = Assert.Single(Left(bench));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(file)!));
    }

    [Fact]
    public async Task Export_OfWhatWasDeleted_HasNothing()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await AddAsync(database, 1);
        var secret = await database.CreateAsync(new ContactFields("To be forgotten", Notes: new string('s', 9_000) + "forget-this"), Token);
        await database.DeleteAsync(secret.Id, isRepeated: false, Token);
        await using var export = silo.GetRequiredService<DatabaseExports>().Begin(database);
        var file = await File.ReadAllBytesAsync(await FetchAsync(bench, export, await export.Made, "export.db"), Token);
        Assert.True(file.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Name(1))) >= 0);
        Assert.Equal(-1, file.AsSpan().IndexOf("forget"u8));
    }

    /// <summary>The copy reads on, so the WAL is not reset, and writes wait once it is long; not longer than allowed.</summary>
    [Fact]
    public async Task Export_ThatWritesWaitFor_IsGivenUpAndTheWritesGoOn()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Exports:MaxWriteHold"] = "00:00:00.100", ["Litestream:CheckpointPages"] = "100" });
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Fill(bench);
        await AddAsync(database, 0);
        await database.FlushAsync(Token);

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var writing = Task.Run(
            async () =>
            {
                for (var i = 0; !enough.IsCancellationRequested; i++) await AddAsync(database, i);
            }, Token);
        var refusal = await Assert.ThrowsAsync<OrganizationException>(async () =>
        {
            for (; ; )
            {
                await using var export = silo.GetRequiredService<DatabaseExports>().Begin(database);
                await export.Made;
            }
        });
        Assert.Equal(OrganizationErrorCode.TooManyRequests, refusal.Code);
        Assert.NotNull(refusal.RetryAfter);
        Assert.Empty(Left(bench));
        Assert.False(writing.IsCompleted);
        await enough.CancelAsync();
        await writing; // none was refused
        await database.FlushAsync(Token);
    }

    [Fact]
    public async Task Database_PutAwayWhileItIsCopied_EndsTheCopyFirst()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Fill(bench);
        await using (var export = silo.GetRequiredService<DatabaseExports>().Begin(database))
        {
            await Eventually.IsAsync(() => database.IsCopied, "the copy has begun");
            await database.DisposeAsync();
            Assert.False(database.IsCopied);
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => export.Made);
            Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
        }
        Assert.Empty(Left(bench));
        Assert.Equal(0, silo.GetRequiredService<DatabaseExports>().Count);
    }

    [Fact]
    public async Task Export_OfADatabaseThatIsGoneMeanwhile_CanBeReadToItsEnd()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await AddAsync(database, 0);
        await using var export = silo.GetRequiredService<DatabaseExports>().Begin(database);
        var made = await export.Made;
        await database.CloseAsync(Token);
        Assert.Equal([Name(0)], Read(await FetchAsync(bench, export, made, "export.db"), "SELECT name FROM contacts"));
    }

    [Fact]
    public async Task Begin_MoreThanMayBe_IsRefusedUntilOneEnds()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Exports:MaxConcurrent"] = "1" });
        var silo = bench.Silo("a");
        var exports = silo.GetRequiredService<DatabaseExports>();
        using var metrics = new RecordedMetrics(silo);
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await using (var first = exports.Begin(database))
        {
            await first.Made;
            var refusal = Assert.Throws<OrganizationException>(() => exports.Begin(database));
            Assert.Equal((OrganizationErrorCode.TooManyRequests, 1), (refusal.Code, exports.Count));
            Assert.Equal((1, 1, 1), (metrics.Ask("silo.exports", "outcome=made"), metrics.Ask("silo.exports", "outcome=refused"), metrics.Ask("silo.export.count")));
        }
        await using var second = exports.Begin(database);
        Assert.NotEqual(0, (await second.Made).Bytes);
    }

    [Fact]
    public async Task Begin_DiskThatHasNoRoomForIt_IsRefused()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Exports:KeepFreeBytes"] = (1L << 50).ToString(CultureInfo.InvariantCulture) });
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        var refusal = Assert.Throws<OrganizationException>(() => silo.GetRequiredService<DatabaseExports>().Begin(database));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
        Assert.Empty(Left(bench));
    }

    [Fact]
    public async Task Export_DisposedWhileItIsMade_LeavesNothing()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Fill(bench);
        var exports = silo.GetRequiredService<DatabaseExports>();
        using var metrics = new RecordedMetrics(silo);
        var export = exports.Begin(database);
        await export.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => export.Made);
        Assert.Equal((1, 0), (metrics.Ask("silo.exports", "outcome=failed"), metrics.Ask("silo.export.count")));
        Assert.Empty(Left(bench));
    }

    private static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"contact {number:d6}");

    private static Task<CommittedContact> AddAsync(OrgDatabase database, int number) => database.CreateAsync(new ContactFields(Name(number), Notes: new string('n', 2_000)), Token);

    /// <summary>Makes the database large, by a way that is quicker than contacts are, so that a copy takes some tenths of a second.</summary>
    private static void Fill(DatabaseBench bench)
    {
        var file = Directory.EnumerateFiles(bench.Folder["a"], "org-demo.db", SearchOption.AllDirectories).Single();
        using var connection = OrgConnection.OpenWriter(file);
        connection.Execute(
            "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600000) SELECT i, zeroblob(60) AS bytes FROM n");
    }

    private static async Task<string> FetchAsync(DatabaseBench bench, DatabaseExport export, ExportedFile made, string name)
    {
        var path = bench.Folder[name];
        await using var file = File.Create(path);
        for (long offset = 0; offset < made.Bytes;)
        {
            var piece = await export.ReadAsync(offset, 10_000, Token);
            await file.WriteAsync(piece, Token);
            offset += piece.Length;
        }
        Assert.Empty(await export.ReadAsync(made.Bytes, 10_000, Token));
        return path;
    }

    private static List<string> Read(string file, string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
        connection.Open();
        Assert.Equal("ok", connection.Scalar<string>("PRAGMA integrity_check"));
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var rows = command.ExecuteReader();
        var values = new List<string>();
        while (rows.Read()) values.Add(Convert.ToString(rows.GetValue(0), CultureInfo.InvariantCulture)!);
        return values;
    }

    private static IReadOnlyList<string> Left(DatabaseBench bench) =>
        Directory.Exists(bench.Folder["a/_temporary"]) ? [.. Directory.EnumerateFiles(bench.Folder["a/_temporary"], "*", SearchOption.AllDirectories)] : [];
}
