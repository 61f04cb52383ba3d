using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Imports;
using Silo.Storage.Databases;
using Silo.Storage.Imports;
using Silo.Storage.Sqlite;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Imports;

/// <summary>Imports below the grain, with the real Litestream and a bucket.</summary>
public sealed class OrgImportsTests : IAsyncLifetime
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(60);

    private DatabaseBench _bench = null!;
    private ServiceProvider _silo = null!;
    private OrgDatabase? _database;
    private OrgImports _imports = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private StagedImports Staged => _silo.GetRequiredService<StagedImports>();

    public async ValueTask InitializeAsync()
    {
        _bench = await DatabaseBench.StartAsync(new() { ["Imports:MaxConcurrent"] = "1", ["Imports:MaxQueued"] = "1", ["Imports:MaxUnexpectedFailures"] = "2" });
        Activate("a");
    }

    public async ValueTask DisposeAsync()
    {
        await _imports.DisposeAsync();
        if (_database is not null) await _database.DisposeAsync();
        await _bench.DisposeAsync();
    }

    [Fact]
    public async Task Import_FromItsFileToTheBucket_IsTakenInOnce()
    {
        var import = await StageAsync("name,email\nAda,ada@example.org\nBo,bo@example.org\nNo,nowhere\nAda,ADA@example.org\n");
        await _imports.BeginAsync(import, Token);
        var done = await _imports.FindAsync(import.Id, Wait, Token);

        Assert.Equal((ImportState.Completed, 4L, 4L, 2L, 0L, 1L, 1L, true), (done.State, done.Processed, done.Total!.Value, done.Imported, done.Updated, done.Skipped, done.Failed, done.Durable));
        Assert.Equal((4L, "validation_failed"), (Assert.Single(done.Errors).Row, done.Errors[0].Code));
        Assert.Equal(["Ada", "Bo"], await OutsideAsync());
        Assert.Empty(await NamesAsync());

        Assert.Equal(done with { RowsPerSecond = 0 }, await _imports.BeginAsync(import, Token) with { RowsPerSecond = 0, Errors = done.Errors, UnknownColumns = done.UnknownColumns, FinishedAt = done.FinishedAt });
        await ReactivateAsync();
        Assert.Equal(ImportState.Completed, (await _imports.BeginAsync(import, Token)).State);
        Assert.Equal(2L, await CountAsync());
    }

    [Fact]
    public async Task Import_OfWhatWasRead_IsReadNext()
    {
        var database = await OpenAsync(Token);
        var ada = (await database.CreateAsync(new ContactFields("Ada", "ada@example.org"), Token)).Id;
        await database.GetAsync(ada, Token);
        Assert.Equal(1L, await CountAsync());
        var import = await StageAsync("name,email\nLovelace,ada@example.org\nBo,bo@example.org\n");
        await _imports.BeginAsync(import with { Options = import.Options with { OverwriteExisting = true } }, Token);
        await _imports.FindAsync(import.Id, Wait, Token);
        Assert.Contains("Lovelace", Encoding.UTF8.GetString((await database.GetAsync(ada, Token)).Utf8!), StringComparison.Ordinal);
        Assert.Equal(2L, await CountAsync());
    }

    [Fact]
    public async Task Import_Compressed_IsTakenIn()
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write("[{\"name\":\"Ada\"}]"u8);
        var import = await StageAsync(compressed.ToArray(), ImportFormat.Json) with { IsGzip = true };
        await _imports.BeginAsync(import, Token);
        Assert.Equal(ImportState.Completed, (await _imports.FindAsync(import.Id, Wait, Token)).State);
        Assert.Equal(1L, await CountAsync());
    }

    [Fact]
    public async Task Import_AcceptedByAnOwnerThatDied_IsGoneOnWith()
    {
        var import = await StageAsync("name\nAda\nBo\n");
        await Staged.AcceptAsync(DatabaseBench.Demo.Id, import, Token);
        Assert.True(await _imports.AnyAcceptedAsync(Token));
        var done = await _imports.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Completed, 2L), (done.State, done.Imported));
        await Eventually.GetAsync(async () => await _imports.AnyAcceptedAsync(Token) ? null : "none", "none is left");
        Assert.Empty(await NamesAsync());
    }

    [Fact]
    public async Task Import_WhoseOwnerDiedAfterTheMerge_IsNotMergedAgain()
    {
        var import = await StageAsync("name\nAda\nBo\n");
        await _imports.BeginAsync(import, Token);
        await _imports.FindAsync(import.Id, Wait, Token);
        await StageAsync("name\nAda\nBo\n", import.Id);
        await Staged.AcceptAsync(DatabaseBench.Demo.Id, import, Token);

        await ReactivateAsync();
        var done = await _imports.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Completed, 2L, true), (done.State, done.Imported, done.Durable));
        await Eventually.GetAsync(async () => (await NamesAsync()).Count == 0 ? "gone" : null, "file and note are deleted");
        Assert.Equal(2L, await CountAsync());
    }

    /// <summary>A trigger stands for a mistake of ours.</summary>
    [Fact]
    public async Task Import_ThatFailsUnexpectedly_IsGivenUpAndLetsTheNextOneThrough()
    {
        await OpenAsync(Token);
        var file = Directory.EnumerateFiles(_bench.Folder["a"], "org-demo.db", SearchOption.AllDirectories).Single();
        using (var connection = OrgConnection.OpenWriter(file)) connection.Execute("CREATE TRIGGER mistake BEFORE INSERT ON contacts WHEN new.name = 'Ada' BEGIN SELECT RAISE(ABORT, 'a mistake'); END");
        var import = await StageAsync("name\nAda\n");
        await _imports.BeginAsync(import, Token);
        var next = await StageAsync("name\nBo\n");
        await _imports.BeginAsync(next, Token);

        var failed = await _imports.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Failed, "unexpected_error", 0L), (failed.State, failed.Errors[0].Code, failed.Imported));
        Assert.Equal((ImportState.Completed, 1L), ((await _imports.FindAsync(next.Id, Wait, Token)) is var done ? (done.State, done.Imported) : default));
        Assert.Equal(["Bo"], await OutsideAsync());
        Assert.Empty(await NamesAsync());
        await ReactivateAsync();
        Assert.Equal("unexpected_error", (await _imports.FindAsync(import.Id, TimeSpan.Zero, Token)).Errors[0].Code);
    }

    [Fact]
    public async Task Import_WhileTheBucketTakesNothing_CompletesOnlyWhenItDoes()
    {
        await OpenAsync(Token);
        var import = await StageAsync("name\nAda\n");
        await _imports.BeginAsync(import, Token);
        await Eventually.GetAsync(async () => (await _imports.FindAsync(import.Id, TimeSpan.Zero, Token)).State == ImportState.Completed ? "done" : null, "the first is done");

        await _bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
        var second = await StageAsync("name\nBo\n");
        await _imports.BeginAsync(second, Token);
        await Eventually.GetAsync(async () => (await _imports.FindAsync(second.Id, TimeSpan.Zero, Token)).Phase == ImportPhase.Replicating ? "waits" : null, "the bucket is waited for");
        Assert.False((await _imports.FindAsync(second.Id, TimeSpan.Zero, Token)).Durable);
        Assert.Equal(2L, await CountAsync());

        await _bench.ClearFaultsAsync();
        Assert.Equal((ImportState.Completed, true), await _imports.FindAsync(second.Id, Wait, Token) is var done ? (done.State, done.Durable) : default);
    }

    [Fact]
    public async Task Import_WhoseNoteTheBucketDoesNotTake_IsNotAccepted()
    {
        await OpenAsync(Token);
        var import = await StageAsync("name\nAda\n");
        await _bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"imports/","action":"status","status":503}]""");
        var refused = await Assert.ThrowsAsync<OrganizationException>(() => _imports.BeginAsync(import, Token));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refused.Code);
        await _bench.ClearFaultsAsync();

        Assert.Equal(OrganizationErrorCode.ImportNotFound, (await Assert.ThrowsAsync<OrganizationException>(() => _imports.FindAsync(import.Id, TimeSpan.Zero, Token))).Code);
        await _imports.BeginAsync(import, Token);
        Assert.Equal(ImportState.Completed, (await _imports.FindAsync(import.Id, Wait, Token)).State);
    }

    [Fact]
    public async Task Import_LookedForWhileTheBucketTellsNothing_IsRefusedAndNotWaitedForWithoutEnd()
    {
        await OpenAsync(Token);
        await _bench.SetFaultsAsync("""[{"method":"listObjects","namePrefix":"imports/","action":"status","status":503}]""");
        var refused = await Assert.ThrowsAsync<OrganizationException>(() => _imports.FindAsync(Guid.NewGuid().ToString(), TimeSpan.Zero, Token).WaitAsync(Wait, Token));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refused.Code);
        Assert.NotNull(refused.RetryAfter);
        await _bench.ClearFaultsAsync();
    }

    [Fact]
    public async Task Import_SentAgainBeforeItsNoteIsConfirmed_IsToldNothingElse()
    {
        await OpenAsync(Token);
        var import = await StageAsync("name\nAda\n");
        await _bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"imports/","action":"status","status":503}]""");
        var tries = (Task<ImportStatus>[])[_imports.BeginAsync(import, Token), _imports.BeginAsync(import, Token)];
        foreach (var attempt in tries) Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, (await Assert.ThrowsAsync<OrganizationException>(() => attempt)).Code);
        await _bench.ClearFaultsAsync();
        await _imports.BeginAsync(import, Token);
        Assert.Equal(ImportState.Completed, (await _imports.FindAsync(import.Id, Wait, Token)).State);
    }

    [Fact]
    public async Task Imports_BeyondThoseThatMayWait_AreRefused()
    {
        await OpenAsync(Token);
        // The first finds its file only when the bucket answers again.
        await _bench.SetFaultsAsync("""[{"method":"getObject","namePrefix":"imports/","action":"status","status":503}]""");
        var (first, second, third) = (await StageAsync("name\nAda\n"), await StageAsync("name\nBo\n"), await StageAsync("name\nCy\n"));
        await _imports.BeginAsync(first, Token);
        Assert.Equal(ImportState.Queued, (await _imports.BeginAsync(second, Token)).State);
        Assert.Equal(OrganizationErrorCode.ImportInProgress, (await Assert.ThrowsAsync<OrganizationException>(() => _imports.PrepareAsync(third.Id, Token))).Code);
        Assert.Equal(OrganizationErrorCode.ImportInProgress, (await Assert.ThrowsAsync<OrganizationException>(() => _imports.BeginAsync(third, Token))).Code);
        Assert.Equal(first.Id, (await _imports.PrepareAsync(first.Id, Token))!.Id);

        await _bench.ClearFaultsAsync();
        Assert.Equal(ImportState.Completed, (await _imports.FindAsync(second.Id, Wait, Token)).State);
        Assert.Null(await _imports.PrepareAsync(third.Id, Token));
        Assert.Equal(2L, await CountAsync());
    }

    [Theory]
    [InlineData("name,email\nAda,a@b.c\nBo,\"open", false, "invalid_file")]
    [InlineData("name,email\nAda,a@b.c\nBo,nowhere\n", true, "validation_failed")]
    public async Task Import_ThatCannotBeTakenIn_ChangesNothingAndIsRemembered(string csv, bool strict, string code)
    {
        var import = await StageAsync(csv) with { Options = new ImportOptions(Strict: strict) };
        await _imports.BeginAsync(import, Token);
        var failed = await _imports.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Failed, code, false), (failed.State, failed.Errors[0].Code, failed.Durable));
        Assert.Equal(0L, await CountAsync());
        Assert.Empty(await NamesAsync());

        await ReactivateAsync();
        Assert.Equal((ImportState.Failed, code), await _imports.FindAsync(import.Id, TimeSpan.Zero, Token) is var again ? (again.State, again.Errors[0].Code) : default);
        var entry = JsonDocument.Parse((await (await OpenAsync(Token)).ListAuditAsync(new AuditQuery(50, null), Token)).Utf8!).RootElement.GetProperty("items")[0];
        Assert.Equal(("failed", import.Id), (entry.GetProperty("outcome").GetString(), entry.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task Import_OfAnotherFileUnderTheSameKey_Fails()
    {
        var import = await StageAsync("name\nAda\n");
        await StageAsync("name\nEve\n", import.Id);
        await _imports.BeginAsync(import, Token);
        Assert.Equal("staged_file_changed", (await _imports.FindAsync(import.Id, Wait, Token)).Errors[0].Code);
        Assert.Equal(0L, await CountAsync());
    }

    [Fact]
    public async Task Merge_WhileItLasts_HoldsUpWritesForAsLongAsTheyMayWait_AndNoReads()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Database:MaxWriteWait"] = "00:00:00.100" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("Ada"), Token);
        using var staging = new StagingDatabase(bench.Folder["rows.db"]);
        staging.Add(2, new ContactFields("Bo"));
        staging.Finish(isLastKept: false);
        var import = await StageAsync("name\nBo\n");
        using var merging = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var merge = ((IOrgDatabase)database).MergeAsync(new PendingMerge(import, staging, new ContactColumns(), new ImportsOptions()), counts =>
        {
            merging.Set();
            goOn.Wait(Token);
            return new ImportRecord(import, new ImportStatus { Id = import.Id, State = ImportState.Completed, StartedAt = import.ReceivedAt, Imported = counts.Imported });
        }, Token);
        await Task.Run(() => merging.Wait(Token), Token);

        var refused = await Assert.ThrowsAsync<OrganizationException>(() => database.CreateAsync(new ContactFields("Cy"), Token));
        Assert.Equal(OrganizationErrorCode.TooManyRequests, refused.Code);
        Assert.Contains("import", refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.RetryAfter);
        Assert.Equal("""{"count":1}""", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));

        goOn.Set();
        await merge;
        await database.CreateAsync(new ContactFields("Cy"), Token);
        Assert.Equal("""{"count":3}""", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task File_TakenBack_StaysIfItWasSentAnew()
    {
        var id = Guid.CreateVersion7().ToString();
        var first = await Staged.UploadAsync(DatabaseBench.Demo.Id, id, new MemoryStream("name\nAda\n"u8.ToArray()), Token);
        var second = await Staged.UploadAsync(DatabaseBench.Demo.Id, id, new MemoryStream("name\nBo\n"u8.ToArray()), Token);
        await Staged.TakeBackAsync(DatabaseBench.Demo.Id, id, first, Token);
        Assert.Equal([$"imports/demo/{id}"], await NamesAsync());
        await Staged.TakeBackAsync(DatabaseBench.Demo.Id, id, second, Token);
        Assert.Empty(await NamesAsync());
    }

    [Fact]
    public async Task Import_WhoseFileIsGone_Fails()
    {
        await OpenAsync(Token);
        var import = await StageAsync("name\nAda\n");
        await Staged.DeleteAsync(DatabaseBench.Demo.Id, import.Id, Token);
        await _imports.BeginAsync(import, Token);
        Assert.Equal((ImportState.Failed, "staged_file_changed"), await _imports.FindAsync(import.Id, Wait, Token) is var failed ? (failed.State, failed.Errors[0].Code) : default);
        Assert.Empty(await NamesAsync());
    }

    [Fact]
    public async Task Note_ThatCannotBeRead_HoldsUpNothing()
    {
        await _bench.Bucket.UploadAsync("imports/demo/broken.json", "{"u8.ToArray(), "application/json", null, Token);
        var import = await StageAsync("name\nAda\n");
        await _imports.BeginAsync(import, Token);
        Assert.Equal(ImportState.Completed, (await _imports.FindAsync(import.Id, Wait, Token)).State);
        Assert.Equal(["imports/demo/broken.json"], await NamesAsync());
    }

    [Fact]
    public async Task Audit_TellsOfEveryImportAndIsOnlyAddedTo()
    {
        foreach (var name in new[] { "Ada", "Bo", "Cy" })
        {
            var import = await StageAsync($"name\n{name}\n") with { Options = new ImportOptions(OverwriteExisting: true, AgentId: "7") };
            await _imports.BeginAsync(import, Token);
            await _imports.FindAsync(import.Id, Wait, Token);
        }
        var database = await OpenAsync(Token);
        var page = JsonDocument.Parse((await database.ListAuditAsync(new AuditQuery(2, null), Token)).Utf8!).RootElement;
        Assert.Equal(2, page.GetProperty("items").GetArrayLength());
        var last = JsonDocument.Parse((await database.ListAuditAsync(new AuditQuery(2, page.GetProperty("nextCursor").GetString()), Token)).Utf8!).RootElement;
        Assert.Equal(JsonValueKind.Null, last.GetProperty("nextCursor").ValueKind);
        var entry = Assert.Single(last.GetProperty("items").EnumerateArray());
        Assert.Equal("""{"at","action","id","user","source","outcome","sha256","bytes","format","options","counts"}""", $"{{{string.Join(',', entry.EnumerateObject().Select(property => $"\"{property.Name}\""))}}}");
        Assert.Equal("csv", entry.GetProperty("format").GetString());
        Assert.Equal("""{"overwriteExisting":true,"strict":false,"agentId":"7"}""", entry.GetProperty("options").GetRawText());
        Assert.Equal("""{"total":1,"imported":1,"updated":0,"skipped":0,"failed":0}""", entry.GetProperty("counts").GetRawText());

        await database.FlushAsync(Token);
        await using var copy = new SqliteConnection($"Data Source={await _bench.RestoreAsOutsiderAsync(DatabaseBench.Demo)};Pooling=False");
        await copy.OpenAsync(Token);
        foreach (var change in new[] { "UPDATE silo_audit SET user = 'x'", "DELETE FROM silo_audit" })
        {
            await using var command = copy.CreateCommand();
            command.CommandText = change;
            Assert.Contains("only added to", (await Assert.ThrowsAsync<SqliteException>(() => command.ExecuteNonQueryAsync(Token))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Import_OfNothingButRowsThatBreakTheRules_IsCompletedAndTellsThem()
    {
        var import = await StageAsync("name,email\nAda,nowhere\n");
        await _imports.BeginAsync(import, Token);
        var done = await _imports.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Completed, 0L, 1L, 2L), (done.State, done.Imported, done.Failed, Assert.Single(done.Errors).Row));
    }

    [Fact]
    public async Task Import_ThatWaitsForTheFirstPublication_HoldsUpNoWriteAndNoOtherOrganization()
    {
        await _bench.SetFaultsAsync("""[{"method":"insertObject","namePrefix":"litestream-replicas/demo","action":"status","status":503}]""");
        var waiting = await StageAsync("name\nAda\n");
        await _imports.BeginAsync(waiting, Token);

        var other = DatabaseBench.Org("other");
        await using var database = await DatabaseBench.OpenAsync(_silo, other);
        await using var others = new OrgImports(other.Id, _ => new(database), _silo.GetRequiredService<ImportIntake>());
        var import = await StageAsync("name\nBo\n", organization: other.Id);
        await others.BeginAsync(import, Token);
        Assert.Equal(ImportState.Completed, (await others.FindAsync(import.Id, Wait, Token)).State);
        Assert.Equal(ImportState.Queued, (await _imports.FindAsync(waiting.Id, TimeSpan.Zero, Token)).State);
        await (await OpenAsync(Token)).CreateAsync(new ContactFields("Cy"), Token);
        Assert.Equal(1L, await CountAsync());

        await _bench.ClearFaultsAsync();
        Assert.Equal(ImportState.Completed, (await _imports.FindAsync(waiting.Id, Wait, Token)).State);
        Assert.Equal(2L, await CountAsync());
    }

    [Fact]
    public async Task Files_ThatNobodyAccepted_AreSweptAfterAWhile()
    {
        var (abandoned, accepted) = (await StageAsync("name\nAda\n"), await StageAsync("name\nBo\n"));
        await Staged.AcceptAsync(DatabaseBench.Demo.Id, accepted, Token);
        Assert.Equal([DatabaseBench.Demo.Id], await Staged.SweepAsync(TimeSpan.FromHours(1), TimeProvider.System.GetUtcNow(), Token));
        Assert.Equal(3, (await NamesAsync()).Count);
        await Staged.SweepAsync(TimeSpan.FromHours(1), TimeProvider.System.GetUtcNow().AddHours(2), Token);
        Assert.DoesNotContain($"imports/demo/{abandoned.Id}", await NamesAsync());
        Assert.Equal(2, (await NamesAsync()).Count);
    }

    private Task<StagedImport> StageAsync(string csv, string? id = null, OrganizationId? organization = null) => StageAsync(Encoding.UTF8.GetBytes(csv), ImportFormat.Csv, id, organization);

    private async Task<StagedImport> StageAsync(byte[] file, ImportFormat format, string? id = null, OrganizationId? organization = null)
    {
        var import = new StagedImport
        {
            Id = id ?? Guid.CreateVersion7().ToString(),
            Format = format,
            IsGzip = false,
            Bytes = file.Length,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(file)),
            Options = new ImportOptions(),
            User = "user",
            Source = "127.0.0.1",
            ReceivedAt = TimeProvider.System.GetUtcNow(),
        };
        await Staged.UploadAsync(organization ?? DatabaseBench.Demo.Id, import.Id, new MemoryStream(file), Token);
        return import;
    }

    private void Activate(string silo)
    {
        _silo = _bench.Silo(silo);
        _imports = new OrgImports(DatabaseBench.Demo.Id, OpenAsync, _silo.GetRequiredService<ImportIntake>());
    }

    private async ValueTask<IOrgDatabase> OpenAsync(CancellationToken cancellationToken) => _database ??= await DatabaseBench.OpenAsync(_silo, DatabaseBench.Demo);

    private async Task ReactivateAsync()
    {
        await _imports.DisposeAsync();
        await _database!.CloseAsync(Token);
        _database = null;
        Activate("a");
    }

    private async Task<List<string>> NamesAsync()
    {
        var names = new List<string>();
        await foreach (var item in _bench.Bucket.ListAsync("imports/", cancellationToken: Token)) names.Add(item.Name);
        return names;
    }

    private async Task<long> CountAsync() => JsonDocument.Parse((await (await OpenAsync(Token)).CountAsync(Token)).Utf8!).RootElement.GetProperty("count").GetInt64();

    private async Task<List<string>> OutsideAsync()
    {
        await using var copy = new SqliteConnection($"Data Source={await _bench.RestoreAsOutsiderAsync(DatabaseBench.Demo)};Pooling=False");
        await copy.OpenAsync(Token);
        await using var command = copy.CreateCommand();
        command.CommandText = "SELECT name FROM contacts ORDER BY seq";
        await using var rows = await command.ExecuteReaderAsync(Token);
        var names = new List<string>();
        while (await rows.ReadAsync(Token)) names.Add(rows.GetString(0));
        return names;
    }
}
