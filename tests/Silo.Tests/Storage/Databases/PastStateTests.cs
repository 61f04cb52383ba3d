using System.Text;
using K4os.Compression.LZ4.Streams;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Databases;

/// <summary>Going back is chosen and never happens; it takes what is proven, and what was the truth can be gone back to.</summary>
public sealed class PastStateTests
{
    private const string Path = "litestream-replicas/demo";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task BringBack_MomentsOfSeveralEpochs_GivesTheRowsOfEach()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Litestream:CheckpointPages"] = "100" });
        var moments = new List<(DateTimeOffset At, long Rows)>();
        for (var epoch = 0; epoch < 3; epoch++)
        {
            await using var database = await DatabaseBench.OpenAsync(bench.Silo("maker"), DatabaseBench.Demo);
            for (var part = 0; part < 3; part++)
            {
                await AddAsync(database, 10);
                moments.Add((await LastUploadAsync(bench), moments.Count * 10 + 10));
            }
            await database.CloseAsync(Token);
        }
        var before = await ObjectsAsync(bench);
        foreach (var (at, rows) in moments)
        {
            await using var past = await BringBackAsync(bench, at);
            Assert.Equal(rows, past.Contacts);
            Assert.True(past.StateAt <= at);
        }
        Assert.Equal(before, await ObjectsAsync(bench));
        var nothing = await Assert.ThrowsAsync<OrganizationException>(() => BringBackAsync(bench, moments[0].At.AddHours(-1)));
        Assert.Equal(OrganizationErrorCode.RestorePointNotFound, nothing.Code);
        Assert.Empty(Files(bench));
    }

    [Fact]
    public async Task OpenPast_OlderState_IsTheTruthFromThenOnAndTheFormerOneCanBeGoneBackTo()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        var (old, full) = await TwoStatesAsync(bench, silo);
        await using (var opened = await OpenPastAsync(bench, silo, old))
        {
            Assert.Equal(10, await CountAsync(opened));
            await AddAsync(opened, 1);
            await opened.CloseAsync(Token);
        }
        await using (var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo))
        {
            Assert.Equal(11, await CountAsync(elsewhere));
            await elsewhere.CloseAsync(Token);
        }
        await using var back = await OpenPastAsync(bench, silo, full);
        Assert.Equal(30, await CountAsync(back));
    }

    [Fact]
    public async Task OpenPast_OrganizationThatCannotBeOpened_CanBeAgain()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        var (old, _) = await TwoStatesAsync(bench, silo);
        var newest = (await bench.HeadAsync(DatabaseBench.Demo)).Truth!.Prefix(Path);
        foreach (var (name, _) in (await ObjectsAsync(bench)).Where(found => found.Name.StartsWith(newest, StringComparison.Ordinal) && found.Name.Contains("/snapshots/", StringComparison.Ordinal)))
            await bench.Bucket.DeleteAsync(name, null, Token);
        await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(silo, DatabaseBench.Demo));
        var before = await ObjectsAsync(bench);

        await using var opened = await OpenPastAsync(bench, silo, old);

        Assert.Equal(10, await CountAsync(opened));
        Assert.Empty(before.Except(await ObjectsAsync(bench)));
    }

    [Fact]
    public async Task OpenPast_CannotBePublished_TheTruthIsWhatItWas()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Database:FlushTimeout"] = "00:00:01" });
        var silo = bench.Silo("a");
        var (old, _) = await TwoStatesAsync(bench, silo);
        await using (var past = await BringBackAsync(bench, old, silo))
        {
            await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => OpenPastAsync(silo, past));
            Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
            await bench.ClearFaultsAsync();
        }
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Assert.Equal(30, await CountAsync(database));
    }

    [Fact]
    public async Task BringBack_FormerOwnerUploadsLater_IsNotChosen()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await TwoStatesAsync(bench, bench.Silo("a"));
        // A zombie of epoch 1 goes on: it writes its own generation anew, and a generation that begins later than all.
        foreach (var (name, _) in (await ObjectsAsync(bench)).Where(found => found.Name.Contains("/epoch-000000000001/", StringComparison.Ordinal)))
        {
            var later = name.Split('/');
            later[4] = "00000000000000ff";
            foreach (var copy in (string[])[name, string.Join('/', later)])
                await bench.Bucket.UploadAsync(copy, (await bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes, "application/octet-stream", null, Token);
        }
        await using var past = await BringBackAsync(bench, await LastUploadAsync(bench));
        Assert.Equal((2, 30), (past.Epoch, past.Contacts));
    }

    [Fact]
    public async Task BringBack_BeforeWhatLitestreamHasKeptOfAnEpoch_GivesNoOlderEpoch()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (old, full) = await TwoStatesAsync(bench, bench.Silo("a"));
        await using (var past = await BringBackAsync(bench, old)) Assert.Equal((1, 10), (past.Epoch, past.Contacts));

        // As its retention leaves an epoch that lasts: its first snapshot and WAL are gone, so nobody can tell when it began.
        foreach (var (name, _) in (await ObjectsAsync(bench)).Where(found => found.Name.Contains("/epoch-000000000002/", StringComparison.Ordinal)))
        {
            var later = name.Replace("/wal/00000000_", "/wal/00000007_", StringComparison.Ordinal).Replace("/snapshots/00000000.", "/snapshots/00000007.", StringComparison.Ordinal);
            if (later != name) await bench.Bucket.UploadAsync(later, (await bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes, "application/octet-stream", null, Token);
            await bench.Bucket.DeleteAsync(name, null, Token);
        }
        foreach (var moment in (DateTimeOffset[])[old, full])
            Assert.Equal(OrganizationErrorCode.RestorePointNotFound, (await Assert.ThrowsAsync<OrganizationException>(() => BringBackAsync(bench, moment))).Code);
        await using var newest = await BringBackAsync(bench, await LastUploadAsync(bench));
        Assert.Equal((2, 30), (newest.Epoch, newest.Contacts));
    }

    [Fact]
    public async Task BringBack_SnapshotThatWasWrittenAnew_IsProvenByWhatCameLater()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var (old, _) = await TwoStatesAsync(bench, bench.Silo("a"), epochs: 1);
        var snapshot = (await ObjectsAsync(bench)).Single(found => found.Name.Contains("/snapshots/", StringComparison.Ordinal)).Name;
        var bytes = (await bench.Bucket.DownloadAsync(snapshot, Token))!.Value.Bytes;
        await bench.Bucket.UploadAsync(snapshot, bytes, "application/octet-stream", null, Token);
        await using (var past = await BringBackAsync(bench, old)) Assert.Equal(10, past.Contacts);

        // One that was made after a checkpoint of the same WAL has younger pages than the moment.
        await using var newest = await BringBackAsync(bench, await LastUploadAsync(bench));
        using var younger = new MemoryStream();
        await using (var encoder = LZ4Stream.Encode(younger, leaveOpen: true))
        await using (var file = File.OpenRead(newest.Chosen.Files.Database)) await file.CopyToAsync(encoder, Token);
        await bench.Bucket.UploadAsync(snapshot, younger.ToArray(), "application/octet-stream", null, Token);
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => BringBackAsync(bench, old));
        Assert.Contains("cannot be the beginning of a state at", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_OnTheirWayOut_AreNobodys()
    {
        using var folder = new TestFolder();
        var files = new OrgFiles(folder.Path, DatabaseBench.Demo.Id, 7);
        files.CreateFolder();
        File.WriteAllText(files.Database, "");
        files.Delete();
        Assert.Empty(OrgFiles.FindOrganizations(folder.Path));
        // A silo that dies between the two steps of a deletion leaves this.
        var halfway = OrgFiles.Temporary(folder.Path, DatabaseBench.Demo.Id);
        halfway.CreateFolder();
        File.WriteAllText(halfway.Database, "");
        Assert.Empty(OrgFiles.FindOrganizations(folder.Path));
        Assert.Empty(OrgFiles.Find(folder.Path, DatabaseBench.Demo.Id));
        OrgFiles.EmptyTemporary(folder.Path);
        Assert.Empty(Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void FindOrganizations_OneNamedLikeTheFolderOfWhatIsSetAside_IsFound()
    {
        using var folder = new TestFolder();
        var files = new OrgFiles(folder.Path, OrganizationId.Parse(OrgFiles.SetAsideFolder), 7);
        new OrgFiles(folder.Path, DatabaseBench.Demo.Id, 1).CreateFolder();
        new OrgFiles(folder.Path, DatabaseBench.Demo.Id, 1).SetAside(TimeProvider.System.GetUtcNow());
        Assert.DoesNotContain(files.Organization, OrgFiles.FindOrganizations(folder.Path));
        files.CreateFolder();
        Assert.Contains(files.Organization, OrgFiles.FindOrganizations(folder.Path));
    }

    /// <summary>10 rows in the first epoch and 30 in the last.</summary>
    /// <returns>When each was in the bucket.</returns>
    private static async Task<(DateTimeOffset Old, DateTimeOffset Full)> TwoStatesAsync(DatabaseBench bench, ServiceProvider silo, int epochs = 2)
    {
        var old = default(DateTimeOffset);
        var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await AddAsync(database, 10);
        old = await LastUploadAsync(bench);
        if (epochs > 1)
        {
            await database.CloseAsync(Token);
            database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        }
        await AddAsync(database, 20);
        await database.CloseAsync(Token);
        return (old, await LastUploadAsync(bench));
    }

    private static async Task AddAsync(OrgDatabase database, int rows)
    {
        var last = 0L;
        for (var i = 0; i < rows; i++) last = (await database.CreateAsync(new ContactFields($"c{i}", Notes: new string('n', 6000)), Token)).Commit;
        await database.WaitReplicatedAsync(last, Token);
    }

    private static async Task<long> CountAsync(OrgDatabase database) =>
        System.Text.Json.JsonDocument.Parse(Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!)).RootElement.GetProperty("count").GetInt64();

    private static Task<PastState> BringBackAsync(DatabaseBench bench, DateTimeOffset at, ServiceProvider? silo = null) =>
        (silo ?? bench.Silo("past")).GetRequiredService<OrgDatabaseOpening>().BringBackAsync(DatabaseBench.Demo, at, Token);

    private static async Task<OrgDatabase> OpenPastAsync(DatabaseBench bench, ServiceProvider silo, DateTimeOffset at)
    {
        await using var past = await BringBackAsync(bench, at, silo);
        return await OpenPastAsync(silo, past);
    }

    private static Task<OrgDatabase> OpenPastAsync(ServiceProvider silo, PastState past) => silo.GetRequiredService<OrgDatabaseOpening>().OpenPastAsync(
        DatabaseBench.Demo, past, new HeadOwner("test", "silo", Guid.NewGuid().ToString()), new ActivationPhases(TimeProvider.System), Token);

    private static async Task<List<(string Name, DateTimeOffset Updated)>> ObjectsAsync(DatabaseBench bench)
    {
        var found = new List<(string, DateTimeOffset)>();
        await foreach (var item in bench.Bucket.ListAsync(Path + "/", cancellationToken: Token)) found.Add((item.Name, item.Updated));
        return found;
    }

    private static async Task<DateTimeOffset> LastUploadAsync(DatabaseBench bench) => (await ObjectsAsync(bench)).Max(found => found.Updated);

    private static IEnumerable<string> Files(DatabaseBench bench) => Directory.EnumerateFiles(bench.Folder["past"], "*.db", SearchOption.AllDirectories);
}
