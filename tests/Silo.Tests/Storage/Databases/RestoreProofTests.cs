using System.Text;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Databases;

/// <summary>Invariants 1 and 2: only what the head names is restored, and never a short or empty database in silence.</summary>
public sealed class RestoreProofTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task<DatabaseBench> WithRowsAsync(int segments = 3)
    {
        var bench = await DatabaseBench.StartAsync(new() { ["Litestream:CheckpointPages"] = "100" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("maker"), DatabaseBench.Demo);
        for (var i = 0; i < segments; i++)
        {
            var done = await database.CreateAsync(new ContactFields($"c{i}", Notes: new string('n', 9000)), Token);
            await database.WaitReplicatedAsync(done.Commit, Token);
        }
        await database.CloseAsync(Token);
        return bench;
    }

    private static async Task<List<string>> ObjectsAsync(DatabaseBench bench, string prefix)
    {
        var names = new List<string>();
        await foreach (var found in bench.Bucket.ListAsync(prefix, cancellationToken: Token)) names.Add(found.Name);
        return names;
    }

    private static async Task RefusedAsync(DatabaseBench bench, string because)
    {
        var before = await ObjectsAsync(bench, "litestream-replicas/");
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
        Assert.Contains(because, refusal.InnerException!.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(bench.Folder["b"], "*.db*", SearchOption.AllDirectories));
        Assert.Equal(before, await ObjectsAsync(bench, "litestream-replicas/"));
    }

    [Fact]
    public async Task Open_HeadGoneButObjectsThere_IsRefused()
    {
        await using var bench = await WithRowsAsync();
        await bench.Bucket.DeleteAsync("heads/demo.json", null, Token);
        await RefusedAsync(bench, "heads/demo.json is missing");
    }

    [Fact]
    public async Task Open_AllObjectsGoneButHeadThere_IsRefused()
    {
        await using var bench = await WithRowsAsync();
        foreach (var name in await ObjectsAsync(bench, "litestream-replicas/")) await bench.Bucket.DeleteAsync(name, null, Token);
        await RefusedAsync(bench, "");
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"version":2,"epoch":1,"state":"active","owner":{"clusterId":"c","silo":"s","activationId":"a"},"operationId":"x"}""")]
    public async Task Open_HeadDamagedOrOfTheFuture_IsRefused(string head)
    {
        await using var bench = await WithRowsAsync(1);
        var found = await bench.Bucket.GetAsync("heads/demo.json", Token);
        await bench.Bucket.UploadAsync("heads/demo.json", Encoding.UTF8.GetBytes(head), "application/json", found!.Generation, Token);
        await RefusedAsync(bench, "heads/demo.json");
    }

    [Theory]
    [InlineData("/snapshots/")]
    [InlineData("/wal/00000000_00000000")]
    public async Task Open_BeginningOfTheReplicaGone_IsRefused(string part)
    {
        await using var bench = await WithRowsAsync();
        foreach (var name in (await ObjectsAsync(bench, "litestream-replicas/")).Where(name => name.Contains(part, StringComparison.Ordinal))) await bench.Bucket.DeleteAsync(name, null, Token);
        await RefusedAsync(bench, "incomplete");
    }

    [Fact]
    public async Task Open_AnySegmentGone_IsRefused()
    {
        await using var bench = await WithRowsAsync(4);
        var segments = (await ObjectsAsync(bench, "litestream-replicas/")).Where(name => name.Contains("/wal/", StringComparison.Ordinal)).ToList();
        Assert.True(segments.Count >= 3, string.Join('\n', segments));
        foreach (var segment in segments)
        {
            var content = (await bench.Bucket.DownloadAsync(segment, Token))!.Value.Bytes;
            await bench.Bucket.DeleteAsync(segment, null, Token);
            await RefusedAsync(bench, "");
            await bench.Bucket.UploadAsync(segment, content, "application/octet-stream", 0, Token);
        }
        await using var whole = await DatabaseBench.OpenAsync(bench.Silo("c"), DatabaseBench.Demo);
        Assert.Equal("{\"count\":4}", Encoding.UTF8.GetString((await whole.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Open_ReplicaOfAnotherOrganization_IsRefused()
    {
        await using var bench = await WithRowsAsync();
        foreach (var name in (await ObjectsAsync(bench, "litestream-replicas/demo/")).Append("heads/demo.json"))
        {
            var copy = name.Replace("demo", "other", StringComparison.Ordinal);
            await bench.Bucket.UploadAsync(copy, (await bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes, "application/octet-stream", 0, Token);
        }
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Org("other")));
        Assert.Contains("another organization", refusal.InnerException!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_ObjectsThatAFormerOwnerUploadsLater_AreIgnored()
    {
        await using var bench = await WithRowsAsync();
        // A newer, whole generation in the same epoch's prefix: what "litestream restore" would choose by itself.
        await using (var other = await DatabaseBench.OpenAsync(bench.Silo("x"), DatabaseBench.Org("stranger")))
        {
            await other.CreateAsync(new ContactFields("wrong"), Token);
            await other.CloseAsync(Token);
        }
        foreach (var name in await ObjectsAsync(bench, "litestream-replicas/stranger/"))
        {
            var copy = name.Replace("stranger", "demo", StringComparison.Ordinal);
            await bench.Bucket.UploadAsync(copy, (await bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes, "application/octet-stream", null, Token);
        }
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal("{\"count\":3}", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Open_ReplicaOfTheOlderSystem_IsAdopted()
    {
        await using var bench = await WithRowsAsync();
        // The older system replicated to the path itself, without epochs and without a head.
        foreach (var name in await ObjectsAsync(bench, "litestream-replicas/demo/epoch-000000000001/"))
        {
            var older = name.Replace("demo/epoch-000000000001/", "demo/", StringComparison.Ordinal);
            await bench.Bucket.UploadAsync(older, (await bench.Bucket.DownloadAsync(name, Token))!.Value.Bytes, "application/octet-stream", 0, Token);
            await bench.Bucket.DeleteAsync(name, null, Token);
        }
        await bench.Bucket.DeleteAsync("heads/demo.json", null, Token);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal("{\"count\":3}", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));
        await database.CloseAsync(Token);
        Assert.Equal(1, (await bench.HeadAsync(DatabaseBench.Demo)).Epoch);
    }

    [Fact]
    public async Task Open_FirstOwnerDiedBeforeItPublished_AdoptsWhatItUploaded()
    {
        await using var bench = await WithRowsAsync();
        var stored = await new HeadStore(bench.Bucket, TimeProvider.System).ReadAsync(DatabaseBench.Demo.Id, Token);
        await bench.WriteHeadAsync(DatabaseBench.Demo, stored!, stored!.Head with { State = HeadState.Released, Current = null, OperationId = "test" });
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal("{\"count\":3}", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));
    }

    /// <summary>A snapshot alone is published by nobody and cannot be restored: it must not become what every later owner has to restore.</summary>
    [Fact]
    public async Task Open_FirstOwnerDiedAfterItsSnapshot_BeginsAnew()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await using (var first = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo))
        {
            await first.WaitUntilPublishedAsync(Token);
            await first.CloseAsync(Token);
        }
        foreach (var name in (await ObjectsAsync(bench, "litestream-replicas/demo/")).Where(name => !name.Contains("/snapshots/", StringComparison.Ordinal)))
            await bench.Bucket.DeleteAsync(name, null, Token);
        Assert.Single(await ObjectsAsync(bench, "litestream-replicas/demo/"));
        var stored = await new HeadStore(bench.Bucket, TimeProvider.System).ReadAsync(DatabaseBench.Demo.Id, Token);
        await bench.WriteHeadAsync(DatabaseBench.Demo, stored!, stored!.Head with { State = HeadState.Released, Current = null, OperationId = "test" });

        await using var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);

        Assert.Equal("{\"count\":0}", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));
        await database.WaitUntilPublishedAsync(Token);
        Assert.Equal(2, (await bench.HeadAsync(DatabaseBench.Demo)).Truth!.Epoch);
    }

    [Theory]
    [InlineData("""[{"method":"GET","namePrefix":"heads/","action":"status","status":503}]""")]
    [InlineData("""[{"method":"POST","namePrefix":"heads/","action":"status","status":429}]""")]
    [InlineData("""[{"method":"GET","namePrefix":"litestream-replicas/","action":"status","status":403}]""")]
    public async Task Open_BucketRefuses_LeavesNothingBehindAndWorksAfterwards(string faults)
    {
        await using var bench = await WithRowsAsync(1);
        await bench.SetFaultsAsync(faults);
        var silo = bench.Silo("b");
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(silo, DatabaseBench.Demo));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
        Assert.Empty(Directory.EnumerateDirectories(bench.Folder["b"]));
        await bench.ClearFaultsAsync();
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Assert.Equal("{\"count\":1}", Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!));
    }

    [Fact]
    public async Task Open_AnswerOfTheLeaseLost_KnowsItsOwnWrite()
    {
        await using var bench = await WithRowsAsync(1);
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"heads/","action":"loseAnswer","count":1}]""");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Equal(2, (await bench.HeadAsync(DatabaseBench.Demo)).Epoch);
    }
}
