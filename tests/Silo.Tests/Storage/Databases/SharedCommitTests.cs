using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Databases;

/// <summary>Writes that wait at the same time share a commit: until the bucket lets the database publish its generation, all of them wait.</summary>
public sealed class SharedCommitTests
{
    private const string HeadRefused = """[{"method":"POST","namePrefix":"heads/","action":"status","status":503}]""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Dictionary<string, string?> Patient => new() { ["Litestream:PublishWait"] = "00:01:00", ["Database:MaxWriteWait"] = "00:01:00", ["Lease:TimeToLive"] = "00:02:00" };

    [Fact]
    public async Task Writes_ThatWaitTogether_ShareACommitAndEachHasItsOwnAnswer()
    {
        await using var bench = await DatabaseBench.StartAsync(Patient);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await bench.SetFaultsAsync(HeadRefused);
        Task<CommittedContact>[] writes =
        [
            database.CreateAsync(new ContactFields("one") { Email = "one@example.com" }, Token),
            database.CreateAsync(new ContactFields("two") { Email = "two@example.com" }, Token),
            database.CreateAsync(new ContactFields("again") { Email = "ONE@example.com" }, Token),
            database.DeleteAsync(Guid.CreateVersion7().ToString(), isRepeated: false, Token),
            database.CreateAsync(new ContactFields("three"), Token),
        ];
        await bench.SetFaultsAsync("[]");

        Assert.Equal((1L, 1L, 1L), ((await writes[0]).Commit, (await writes[1]).Commit, (await writes[4]).Commit));
        Assert.Equal(OrganizationErrorCode.ContactExists, (await Assert.ThrowsAsync<OrganizationException>(() => writes[2])).Code);
        Assert.Equal(OrganizationErrorCode.ContactNotFound, (await Assert.ThrowsAsync<OrganizationException>(() => writes[3])).Code);

        // The next one alone has the next commit, and what was shared is in the bucket as what was not.
        Assert.Equal(2, (await database.CreateAsync(new ContactFields("four"), Token)).Commit);
        await database.WaitReplicatedAsync(2, Token);
        using var outside = OrgConnection.OpenWriter(await bench.RestoreAsOutsiderAsync(DatabaseBench.Demo));
        Assert.Equal("four,one,three,two", outside.Scalar<string>("SELECT group_concat(name, ',') FROM (SELECT name FROM contacts ORDER BY name)"));
    }

    [Fact]
    public async Task Write_GivenUpBeforeItsTurn_IsNotDone()
    {
        await using var bench = await DatabaseBench.StartAsync(Patient);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await bench.SetFaultsAsync(HeadRefused);
        using var givingUp = new CancellationTokenSource();
        var first = database.CreateAsync(new ContactFields("first"), givingUp.Token);
        var second = database.CreateAsync(new ContactFields("second"), givingUp.Token);
        var third = database.CreateAsync(new ContactFields("third"), Token);
        await givingUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await bench.SetFaultsAsync("[]");

        Assert.Equal(1, (await third).Commit);
        Assert.Equal("""{"count":1}""", await CountAsync(database));
    }

    [Fact]
    public async Task Writes_WhenTheBucketTurnsOutToHaveAnotherOwner_AreAllRefused()
    {
        await using var bench = await DatabaseBench.StartAsync(Patient);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        // Nothing is published while nothing can be uploaded.
        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
        var writes = Enumerable.Range(0, 5).Select(i => database.CreateAsync(new ContactFields($"c{i}"), Token)).ToArray();
        await bench.TakeAwayAsync(DatabaseBench.Demo);
        await bench.SetFaultsAsync("[]");

        foreach (var write in writes) Assert.Equal(OrganizationErrorCode.DatabaseMoved, (await Assert.ThrowsAsync<OrganizationException>(() => write)).Code);
        Assert.Equal("""{"count":0}""", await CountAsync(database));
    }

    [Fact]
    public async Task Writes_WhileTheCatalogThatTheyAskDoesNotAnswer_AreAllRefused()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var bench = await DatabaseBench.StartAsync(new()
        {
            ["ConnectionStrings:Catalog"] = $"Host=127.0.0.1;Port={((IPEndPoint)silent.LocalEndpoint).Port};Database=silo;Username=silo;Timeout=60",
            ["Database:MaxWriteWait"] = "00:00:01",
        });
        var silo = bench.Silo("a");
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        database.FollowCatalog(DatabaseBench.Demo, silo.GetRequiredService<OrganizationCatalog>());
        var writes = Enumerable.Range(0, 3).Select(i => database.CreateAsync(new ContactFields($"c{i}"), Token)).ToArray();

        foreach (var write in writes)
        {
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => write);
            Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
            Assert.Contains("does not answer", refusal.Message, StringComparison.Ordinal);
        }
        Assert.Equal("""{"count":0}""", await CountAsync(database));
    }

    [Fact]
    public async Task Writes_OfManyCallers_AreAllThereAndInFewerCommits()
    {
        const int callers = 32, each = 50;
        await using var bench = await DatabaseBench.StartAsync();
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        await database.WaitUntilPublishedAsync(Token);
        var commits = new ConcurrentBag<long>();
        await Parallel.ForAsync(0, callers, new ParallelOptions { MaxDegreeOfParallelism = callers, CancellationToken = Token }, async (caller, token) =>
        {
            for (var i = 0; i < each; i++) commits.Add((await database.CreateAsync(new ContactFields($"c{caller}-{i}") { Email = $"c{caller}-{i}@example.com" }, token)).Commit);
        });
        Assert.Equal(callers * each, commits.Count);
        Assert.InRange(commits.Distinct().Count(), each, (callers * each) - 1);
        await database.CloseAsync(Token);
        using var outside = OrgConnection.OpenWriter(await bench.RestoreAsOutsiderAsync(DatabaseBench.Demo));
        Assert.Equal((callers * each, "ok"), ((int)outside.Scalar<long>("SELECT count(*) FROM contacts"), outside.Scalar<string>("PRAGMA integrity_check")));
    }

    private static async Task<string> CountAsync(OrgDatabase database) => Encoding.UTF8.GetString((await database.CountAsync(Token)).Utf8!);
}
