using System.Net;
using System.Text.Json;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class RestoreAndLockEndpointsTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "org-" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;
    private string _token = null!;

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Locks.Clear();
        cluster.StandIns.Organizations[_id] = new Organization { Id = OrganizationId.Parse(_id), Name = _id, DbType = OrganizationDbType.Sqlite };
        _gateway = await TestGateway.Start(cluster.Client);
        _token = _gateway.Tokens.Admin();
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Restore_DoneInTime_TellsWhatItTook()
    {
        using var none = await _gateway.Get(Restore, _token);
        await none.Problem(404, "restore_not_found");
        using var done = await Post("""{"at":"2026-01-02T03:04:05.5+01:00","dryRun":true}""");
        Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        using var again = await _gateway.Get(Restore, _token);
        foreach (var json in new[] { await done.Json(), await again.Json() })
        {
            Assert.Equal("2026-01-02T02:04:05.500Z", json.GetProperty("at").GetString());
            Assert.Equal("completed", json.GetProperty("state").GetString());
            Assert.True(json.GetProperty("dryRun").GetBoolean());
            Assert.Equal((3, 7), (json.GetProperty("epoch").GetInt64(), json.GetProperty("contacts").GetInt64()));
            Assert.Equal(JsonValueKind.Null, json.GetProperty("newEpoch").ValueKind);
        }
    }

    [Fact]
    public async Task Restore_ThatTakesLonger_IsPolled()
    {
        var at = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        cluster.StandIns.Restores[_id] = new RestoreStatus { Organization = OrganizationId.Parse(_id), State = RestoreState.Running, DryRun = false, At = at, StartedAt = at };
        using var begun = await Post("""{"at":"2026-01-02T03:04:05Z"}""");
        Assert.Equal(HttpStatusCode.Accepted, begun.StatusCode);
        Assert.Equal(Restore, begun.Headers.Location?.OriginalString);
        using var polled = await _gateway.Get(Restore, _token);
        Assert.Equal("running", (await polled.Json()).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("{}", 422, "validation_failed")]
    [InlineData("""{"at":null}""", 422, "validation_failed")]
    [InlineData("""{"at":"yesterday"}""", 422, "validation_failed")]
    [InlineData("""{"at":"2026-01-02T03:04:05"}""", 422, "validation_failed")]
    [InlineData("""{"at":"2026-01-02"}""", 422, "validation_failed")]
    [InlineData("""{"at":"9999-01-02T03:04:05Z"}""", 422, "validation_failed")]
    [InlineData("""{"at":1}""", 400, "invalid_request")]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","dryRun":"no"}""", 400, "invalid_request")]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","DryRun":true}""", 400, "invalid_request")]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","As":"copy"}""", 400, "invalid_request")]
    public async Task Restore_ToNoMoment_IsRefusedAndNothingIsAsked(string json, int status, string code)
    {
        using var response = await Post(json);
        await response.Problem(status, code);
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);
    }

    [Fact]
    public async Task Restore_AsAnother_IsMadeByTheNewOne()
    {
        var copy = "copy-" + Guid.NewGuid().ToString("N");
        using var done = await Post($$"""{"at":"2026-01-02T03:04:05Z","as":"{{copy}}","name":"New"}""");
        var json = await done.Json();
        Assert.Equal((200, copy, _id), ((int)done.StatusCode, json.GetProperty("organization").GetString(), json.GetProperty("source").GetString()));
        Assert.Equal("New", cluster.StandIns.Names[copy]);
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);

        // It is not in the catalog yet, and tells how it goes on.
        cluster.StandIns.Restores[copy] = cluster.StandIns.Restores[copy] with { State = RestoreState.Running };
        using var begun = await Post($$"""{"at":"2026-01-02T03:04:05Z","as":"{{copy}}"}""");
        Assert.Equal((HttpStatusCode.Accepted, $"/api/admin/organizations/{copy}/restore"), (begun.StatusCode, begun.Headers.Location?.OriginalString));
        using var polled = await _gateway.Get(begun.Headers.Location!.OriginalString, _token);
        Assert.Equal("running", (await polled.Json()).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","as":"A"}""", 400, "invalid_organization_id")]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","as":""}""", 400, "invalid_organization_id")]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","name":"of nobody"}""", 422, "validation_failed")]
    [InlineData("""{"at":"2026-01-02T03:04:05Z","as":"ITSELF"}""", 422, "validation_failed")]
    [InlineData("""{"as":"copy"}""", 422, "validation_failed")]
    public async Task Restore_AsNothingThatCanBe_IsRefusedAndNothingIsAsked(string json, int status, string code)
    {
        using var response = await Post(json.Replace("ITSELF", _id, StringComparison.Ordinal));
        await response.Problem(status, code);
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);
        Assert.Equal(0, cluster.StandIns.Arrival("copy").CurrentCount);
    }

    [Theory]
    [InlineData(OrganizationErrorCode.RestorePointNotFound, 404, "restore_point_not_found")]
    [InlineData(OrganizationErrorCode.RestoreInProgress, 409, "restore_in_progress")]
    [InlineData(OrganizationErrorCode.DatabaseUnavailable, 503, "database_unavailable")]
    public async Task Restore_ThatIsRefused_SaysWhy(OrganizationErrorCode refusal, int status, string code)
    {
        cluster.StandIns.Failures[_id] = new OrganizationException(refusal, "Why.");
        using var response = await Post("""{"at":"2026-01-02T03:04:05Z"}""");
        Assert.Equal("Why.", (await response.Problem(status, code)).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Restore_OfWhatIsNoOrganization_IsRefused()
    {
        foreach (var (id, status, code) in new[] { ("unknown", 404, "organization_not_found"), ("A", 400, "invalid_organization_id") })
        {
            using var post = await _gateway.Send(HttpMethod.Post, $"/api/admin/organizations/{id}/restore", _token, """{"at":"2026-01-02T03:04:05Z"}""");
            await post.Problem(status, code);
            using var get = await _gateway.Get($"/api/admin/organizations/{id}/restore", _token);
            await get.Problem(status, code);
        }
    }

    [Fact]
    public async Task Locks_AreListedInPagesAndGivenBackWhenTheyHaveRunOut()
    {
        foreach (var (id, expired) in new[] { ("a", true), ("b", false), ("c", true) }) Lock(id, expired);
        using var first = await _gateway.Get("/api/admin/locks?limit=2", _token);
        var page = await first.Json();
        Assert.Equal(["a", "b"], page.GetProperty("items").EnumerateArray().Select(row => row.GetProperty("organization").GetString()));
        Assert.Equal(
            ["organization", "state", "epoch", "cluster", "silo", "ageSeconds", "expiresInSeconds", "expired"],
            page.GetProperty("items")[0].EnumerateObject().Select(property => property.Name));
        using var second = await _gateway.Get($"/api/admin/locks?limit=2&cursor={page.GetProperty("nextCursor").GetString()}", _token);
        Assert.Equal("c", (await second.Json()).GetProperty("items")[0].GetProperty("organization").GetString());

        using var held = await _gateway.Send(HttpMethod.Delete, "/api/admin/locks/b", _token);
        Assert.Contains("expires in 12 s", (await held.Problem(409, "lock_held")).GetProperty("detail").GetString(), StringComparison.Ordinal);
        using var released = await _gateway.Send(HttpMethod.Delete, "/api/admin/locks/a", _token);
        Assert.Equal(HttpStatusCode.NoContent, released.StatusCode);
        using var gone = await _gateway.Send(HttpMethod.Delete, "/api/admin/locks/a", _token);
        await gone.Problem(404, "lock_not_found");
        using var malformed = await _gateway.Send(HttpMethod.Delete, "/api/admin/locks/A", _token);
        await malformed.Problem(400, "invalid_organization_id");
    }

    [Theory]
    [InlineData("GET", "/api/admin/locks")]
    [InlineData("DELETE", "/api/admin/locks/a")]
    [InlineData("GET", "/api/admin/organizations/a/restore")]
    [InlineData("POST", "/api/admin/organizations/a/restore")]
    public async Task Call_OfAMember_IsForbidden(string method, string path)
    {
        using var response = await _gateway.Send(new HttpMethod(method), path, _gateway.Member("a"), method == "POST" ? "{}" : null);
        await response.Problem(403, "forbidden");
    }

    private string Restore => $"/api/admin/organizations/{_id}/restore";

    private Task<HttpResponseMessage> Post(string json) => _gateway.Send(HttpMethod.Post, Restore, _token, json);

    private void Lock(string id, bool expired) => cluster.StandIns.Locks[id] = new LockStatus
    {
        Organization = OrganizationId.Parse(id),
        State = "active",
        Epoch = 2,
        Cluster = "c",
        Silo = "s",
        AgeSeconds = 18,
        ExpiresInSeconds = expired ? 0 : 12,
        Expired = expired,
    };
}
