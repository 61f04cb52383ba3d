using System.Text.Json;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Tests.Gateway;

namespace Silo.Tests.Cli;

/// <summary><c>silo migrate</c> and <c>silo orgs</c>, and the calls that they make, over a real gateway; the grains are stand-ins.</summary>
[Collection(GatewayCollection.Name)]
public sealed class MigrateCommandTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _one = "mig-a" + Guid.NewGuid().ToString("N");
    private readonly string _two = "mig-b" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Migrations.Clear();
        cluster.StandIns.Organizations.Clear();
        foreach (var id in (string[])[_one, _two])
            cluster.StandIns.Organizations[id] = new Organization { Id = OrganizationId.Parse(id), Name = "N", DbType = OrganizationDbType.Turso, TursoUrl = "libsql://x.example?authToken=secret" };
        _gateway = await TestGateway.Start(cluster.Client);
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Migrate_Several_FollowsEachToItsEndAndSaysWhatFailed()
    {
        Will(_one, Status(_one), Status(_one) with { Step = MigrationStep.Copying, StepRows = 5, Table = "contacts" }, Done(_one));
        Will(_two, Status(_two), Done(_two) with { Step = MigrationStep.Failed, Problem = "Both sides are not the same." });
        var done = await RunAsync("migrate", "--all", "--yes", "--json", "--parallel", "2");
        Assert.Equal((1, "1 of 2 failed.\n"), (done.Code, done.Errors));
        var json = JsonDocument.Parse(done.Output).RootElement;
        Assert.Equal((1, 1, 0), (json.GetProperty("done").GetInt32(), json.GetProperty("failed").GetInt32(), json.GetProperty("notBegun").GetInt32()));
        Assert.Equal("completed", json.GetProperty("items")[0].GetProperty("status").GetProperty("step").GetString());
        Assert.Equal("Both sides are not the same.", json.GetProperty("items")[1].GetProperty("problem").GetString());
        Assert.All(cluster.StandIns.MigrationRequests[_one], request => Assert.Equal(new MigrationRequest(MigrationKind.Migrate), request));
    }

    [Fact]
    public async Task Migrate_ThatStopsOnError_BeginsNoFurtherOne()
    {
        Will(_one, Done(_one) with { Step = MigrationStep.Failed, Problem = "No." });
        Will(_two, Done(_two));
        var done = await RunAsync("migrate", "--all", "--yes", "--parallel", "1", "--stop-on-error");
        Assert.Equal((1, "1 of 2 failed, 1 were not begun.\n"), (done.Code, done.Errors));
        Assert.False(cluster.StandIns.MigrationRequests.ContainsKey(_two));
    }

    [Fact]
    public async Task Migrate_WhoseStateCannotBeAskedForAWhile_IsFollowedToItsEnd()
    {
        Will(_one, Status(_one), Done(_one));
        // The first loss on a connection that was in use is made up for below HTTP.
        await using var gateway = await TestGateway.Start(cluster.Client, new PollAnswers(PollAnswers.Gone, PollAnswers.Gone, PollAnswers.Unavailable).AddTo);
        var done = await CommandTests.RunAsync(gateway, ["migrate", "--org", _one, "--yes", "--json"]);
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Equal("completed", JsonDocument.Parse(done.Output).RootElement.GetProperty("items")[0].GetProperty("status").GetProperty("step").GetString());
        Assert.Single(cluster.StandIns.MigrationRequests[_one]);
    }

    [Fact]
    public async Task Migrate_WhoseStateCannotBeAskedForLong_SaysThatItMayGoOn()
    {
        Will(_one, Status(_one));
        await using var gateway = await TestGateway.Start(cluster.Client, new PollAnswers(PollAnswers.UnavailableForLong).AddTo);
        var left = await CommandTests.RunAsync(gateway, ["migrate", "--org", _one, "--yes"]);
        Assert.Equal((1, "1 of 1 failed.\n"), (left.Code, left.Errors));
        Assert.Contains($"{_one}: No silo answers. It may still go on; 'silo orgs report' tells how it ends. (cluster_unavailable)", left.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--dry-run", MigrationKind.Rehearse, false)]
    [InlineData("--inspect", MigrationKind.Inspect, false)]
    [InlineData("--verify-only", MigrationKind.Verify, false)]
    [InlineData("--yes", MigrationKind.Migrate, false)]
    [InlineData("--rollback --yes", MigrationKind.RollBack, false)]
    [InlineData("--discard-new-writes --rollback --yes", MigrationKind.RollBack, true)]
    public async Task Migrate_OfAnyKind_AsksForIt(string options, MigrationKind kind, bool discards)
    {
        Will(_one, Done(_one));
        string[] named = kind == MigrationKind.RollBack ? options.Replace("--rollback", $"--rollback {_one}", StringComparison.Ordinal).Split(' ') : ["--org", _one, options];
        var done = await RunAsync(["migrate", .. named]);
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Equal(new MigrationRequest(kind, discards), Assert.Single(cluster.StandIns.MigrationRequests[_one]));
        Assert.Contains("1,234", done.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Orgs_ListedAndReported_TellWhereEachIs()
    {
        cluster.StandIns.Organizations[_two] = cluster.StandIns.Organizations[_two] with { DbType = OrganizationDbType.Sqlite, GcsBucketName = "b", GcsReplicaPath = "p" };
        var list = await RunAsync("orgs", "list", "--json");
        var items = JsonDocument.Parse(list.Output).RootElement.GetProperty("items");
        Assert.Equal(["turso", "sqlite"], items.EnumerateArray().Select(item => item.GetProperty("dbType").GetString()));
        Assert.Equal("libsql://x.example/", items[0].GetProperty("tursoUrl").GetString());
        Assert.DoesNotContain("secret", list.Output, StringComparison.Ordinal);
        Assert.Single(JsonDocument.Parse((await RunAsync("orgs", "list", "--type", "sqlite", "--json")).Output).RootElement.GetProperty("items").EnumerateArray());

        Will(_one, Done(_one) with { Step = MigrationStep.Failed, Problem = "No." });
        Will(_two, Done(_two));
        var report = await RunAsync("orgs", "report");
        Assert.Contains("3 on Turso, 2 in SQLite (1 of them migrated); 0 operations run, 1 of the last ones failed.", report.Output, StringComparison.Ordinal);
        var json = JsonDocument.Parse((await RunAsync("orgs", "report", "--json")).Output).RootElement;
        Assert.Equal([_one, _two], json.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("organization").GetString()));
        var page = await (await _gateway.Get("/api/admin/migrations?limit=1", _gateway.Tokens.Admin())).Json();
        Assert.Equal(_one, page.GetProperty("nextCursor").GetString());
    }

    [Fact]
    public async Task Calls_ThatMakeNoSense_AreRefused()
    {
        var path = $"/api/admin/organizations/{_one}/migrate";
        using var none = await _gateway.Get(path, _gateway.Tokens.Admin());
        await none.Problem(404, "migration_not_found");
        foreach (var body in (string[])["""{"dryRun":true,"rollback":true}""", """{"discardNewWrites":true}"""])
        {
            using var refused = await _gateway.Send(HttpMethod.Post, path, _gateway.Tokens.Admin(), body);
            await refused.Problem(422, "validation_failed");
        }
        using var member = await _gateway.Send(HttpMethod.Post, path, _gateway.Tokens.Member(_one), "{}");
        await member.Problem(403, "forbidden");
        Will(_one, Status(_one));
        using var begun = await _gateway.Send(HttpMethod.Post, path, _gateway.Tokens.Admin(), "{}");
        Assert.Equal((202, path), ((int)begun.StatusCode, begun.Headers.Location?.OriginalString));
    }

    private static MigrationStatus Status(string id) => new()
    {
        Organization = OrganizationId.Parse(id),
        OperationId = "op-" + id,
        Kind = MigrationKind.Migrate,
        Step = MigrationStep.Preflight,
        StartedAt = DateTimeOffset.UnixEpoch,
        RenewedAt = DateTimeOffset.UnixEpoch,
    };

    private static MigrationStatus Done(string id) => Status(id) with
    {
        Step = MigrationStep.Completed,
        FinishedAt = DateTimeOffset.UnixEpoch.AddSeconds(9),
        Report = new MigrationReport { Source = "http://127.0.0.1:1", Bytes = 4096, Tables = [new MigratedTable("contacts", 1234, "ab", true)], CopySeconds = 1.5, FrozenSeconds = 0.5 },
    };

    private void Will(string id, params MigrationStatus[] statuses) => cluster.StandIns.Migrations[id] = new(statuses);

    private Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) => CommandTests.RunAsync(_gateway, arguments);
}
