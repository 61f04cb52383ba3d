using System.Net;
using System.Text.Json;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class OperatorEndpointsTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "org-" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;
    private string _token = null!;

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Organizations.Clear();
        cluster.StandIns.Active.Clear();
        _gateway = await TestGateway.Start(cluster.Client);
        _token = _gateway.Tokens.Admin();
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Theory]
    [InlineData("organizations", """{"id":"new","name":"New","dbtype":"turso"}""")]
    [InlineData("organizations/new/migrate", """{"dryrun":true}""")]
    [InlineData("organizations/new/migrate", """{"verify":true}""")]
    public async Task Body_WithAWordThatIsNoField_IsRefusedAndNothingElseIsDone(string path, string json)
    {
        using var answer = await _gateway.Send(HttpMethod.Post, $"/api/admin/{path}", _token, json);
        await answer.Problem(400, "invalid_request");
        Assert.False(cluster.StandIns.Organizations.ContainsKey("new"));
        Assert.False(cluster.StandIns.MigrationRequests.ContainsKey("new"));
    }

    [Fact]
    public async Task Organization_IsAddedAndRead()
    {
        using var created = await Post("/api/admin/organizations", $$"""{"id":"{{_id}}","name":"Ä","dbType":"sqlite","tursoUrl":null,"durability":"replicated"}""");
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal($"/api/admin/organizations/{_id}", created.Headers.Location?.OriginalString);
        using var got = await _gateway.Get($"/api/admin/organizations/{_id}", _token);
        foreach (var response in new[] { created, got })
        {
            var json = await response.Json();
            Assert.Equal(
                ["id", "name", "dbType", "tursoUrl", "gcsBucketName", "gcsReplicaPath", "isDbProvisioning", "durability", "createdAt", "tursoSecret"],
                json.EnumerateObject().Select(property => property.Name));
            Assert.Equal("sqlite", json.GetProperty("dbType").GetString());
            Assert.Equal(JsonValueKind.Null, json.GetProperty("tursoUrl").ValueKind);
            Assert.Equal("replicated", json.GetProperty("durability").GetString());
            Assert.Equal("2026-01-02T02:04:05.000Z", json.GetProperty("createdAt").GetString());
        }
        using var again = await Post("/api/admin/organizations", $$"""{"id":"{{_id}}","name":"B"}""");
        await again.Problem(409, "organization_exists");
    }

    [Theory]
    [InlineData("""{"id":"Demo","name":"x"}""", 400, "invalid_organization_id")]
    [InlineData("""{"name":"x"}""", 400, "invalid_organization_id")]
    [InlineData("""{"id":"a","name":"x","dbType":"mysql"}""", 400, "invalid_request")]
    [InlineData("""{"id":"a","name":"x","dbType":1}""", 400, "invalid_request")]
    [InlineData("""{"id":"a","name":"x","durability":"none"}""", 400, "invalid_request")]
    [InlineData("""{"id":"a"}""", 422, "validation_failed")]
    [InlineData("""{"id":"a","name":" "}""", 422, "validation_failed")]
    [InlineData("""{"id":"a","name":"x","tursoUrl":"libsql://x.example"}""", 422, "validation_failed")]
    [InlineData("""{"id":"a","name":"x","dbType":"turso"}""", 422, "validation_failed")]
    [InlineData("""{"id":"a","name":"x","dbType":"turso","tursoUrl":"file:///etc"}""", 422, "validation_failed")]
    [InlineData("""{"id":"a","name":"x","dbType":"turso","tursoUrl":"libsql://user:secret@x.example"}""", 422, "validation_failed")]
    [InlineData("""{"id":"a","name":"x","dbType":"turso","tursoUrl":"libsql://x.example?authToken=secret"}""", 422, "validation_failed")]
    public async Task Organization_ThatBreaksARule_IsRefused(string json, int status, string code)
    {
        using var response = await Post("/api/admin/organizations", json);
        await response.Problem(status, code);
        Assert.Empty(cluster.StandIns.Organizations);
    }

    [Theory]
    [InlineData("libsql://user:secret@db.example:8080/path?authToken=secret#secret", "libsql://db.example:8080/path")]
    [InlineData("libsql://db.example", "libsql://db.example")]
    [InlineData("no address, secret", null)]
    public async Task Organization_OfTurso_IsShownWithoutCredentials(string stored, string? shown)
    {
        Add(_id, OrganizationDbType.Turso, stored);
        foreach (var path in new[] { $"/api/admin/organizations/{_id}", "/api/admin/organizations" })
        {
            using var response = await _gateway.Get(path, _token);
            var json = await response.Json();
            Assert.DoesNotContain("secret", json.GetRawText(), StringComparison.Ordinal);
            var row = json.TryGetProperty("items", out var items) ? items[0] : json;
            Assert.Equal(shown, row.GetProperty("tursoUrl").GetString()?.TrimEnd('/'));
        }
    }

    [Fact]
    public async Task Organizations_AreListedInPages()
    {
        foreach (var id in new[] { "a", "b", "c" }) Add(id, id == "b" ? OrganizationDbType.Turso : OrganizationDbType.Sqlite);
        using var first = await _gateway.Get("/api/admin/organizations?limit=2", _token);
        Assert.Equal(["a", "b"], Ids(await first.Json()));
        var cursor = (await first.Json()).GetProperty("nextCursor").GetString();
        using var second = await _gateway.Get($"/api/admin/organizations?limit=2&cursor={cursor}", _token);
        Assert.Equal(["c"], Ids(await second.Json()));
        Assert.Equal(JsonValueKind.Null, (await second.Json()).GetProperty("nextCursor").ValueKind);
        using var turso = await _gateway.Get("/api/admin/organizations?dbType=turso", _token);
        Assert.Equal(["b"], Ids(await turso.Json()));

        static IEnumerable<string?> Ids(JsonElement page) => page.GetProperty("items").EnumerateArray().Select(row => row.GetProperty("id").GetString());
    }

    [Theory]
    [InlineData("/api/admin/organizations?limit=0", 400, "invalid_request")]
    [InlineData("/api/admin/organizations?dbType=mysql", 400, "invalid_request")]
    [InlineData("/api/admin/organizations/A", 400, "invalid_organization_id")]
    [InlineData("/api/admin/organizations/..%2Fa", 400, "invalid_organization_id")]
    [InlineData("/api/admin/organizations/unknown", 404, "organization_not_found")]
    [InlineData("/api/admin/databases/A", 400, "invalid_organization_id")]
    [InlineData("/api/admin/databases/unknown", 404, "organization_not_found")]
    public async Task Question_WithoutAnAnswer_SaysWhy(string path, int status, string code)
    {
        using var response = await _gateway.Get(path, _token);
        await response.Problem(status, code);
    }

    [Fact]
    public async Task Database_Active_IsShown()
    {
        Activate();
        using var one = await _gateway.Get($"/api/admin/databases/{_id}", _token);
        using var all = await _gateway.Get("/api/admin/databases", _token);
        foreach (var json in new[] { await one.Json(), (await all.Json()).GetProperty("items")[0] })
        {
            Assert.Equal(_id, json.GetProperty("organization").GetString());
            Assert.Equal("active", json.GetProperty("state").GetString());
            Assert.Equal(1.5, json.GetProperty("activationMs").GetProperty("lease").GetDouble());
            Assert.Equal("2026-01-02T03:04:05.000Z", json.GetProperty("activatedAt").GetString());
            Assert.Equal(JsonValueKind.Null, json.GetProperty("lastUploadAt").ValueKind);
        }
    }

    [Fact]
    public async Task Database_NotActive_IsNotFoundAndNotActivated()
    {
        Add(_id, OrganizationDbType.Sqlite);
        using var get = await _gateway.Get($"/api/admin/databases/{_id}", _token);
        await get.Problem(404, "database_not_active");
        using var deactivate = await Post($"/api/admin/databases/{_id}/deactivate");
        await deactivate.Problem(404, "database_not_active");
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);
    }

    [Fact]
    public async Task Warm_Known_AnswersBeforeTheRestoreEnds()
    {
        Add(_id, OrganizationDbType.Sqlite);
        var restore = cluster.StandIns.Gates[_id] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var response = await Post($"/api/admin/databases/{_id}/warm");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal($"/api/admin/databases/{_id}", response.Headers.Location?.OriginalString);
        Assert.Equal("activating", (await response.Json()).GetProperty("state").GetString());
        await cluster.StandIns.Arrival(_id).WaitAsync(TestContext.Current.CancellationToken);
        restore.SetException(new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "Later."));
    }

    [Fact]
    public async Task Deactivate_Active_IsAccepted()
    {
        Activate();
        using var response = await Post($"/api/admin/databases/{_id}/deactivate");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("deactivating", (await response.Json()).GetProperty("state").GetString());
        Assert.Empty(cluster.StandIns.Active);
    }

    [Theory]
    [InlineData("warm")]
    [InlineData("deactivate")]
    public async Task Change_OfAnUnknownOrganization_IsNotFound(string change)
    {
        using var unknown = await Post($"/api/admin/databases/{_id}/{change}");
        await unknown.Problem(404, "organization_not_found");
        using var malformed = await Post($"/api/admin/databases/A/{change}");
        await malformed.Problem(400, "invalid_organization_id");
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);
    }

    private Task<HttpResponseMessage> Post(string path, string? json = null) => _gateway.Send(HttpMethod.Post, path, _token, json);

    private void Add(string id, OrganizationDbType dbType, string? tursoUrl = null) => cluster.StandIns.Organizations[id] = new Organization
    {
        Id = OrganizationId.Parse(id),
        Name = id,
        DbType = dbType,
        TursoUrl = tursoUrl,
    };

    private void Activate()
    {
        Add(_id, OrganizationDbType.Sqlite);
        cluster.StandIns.Active[_id] = new DatabaseStatus
        {
            Organization = OrganizationId.Parse(_id),
            Silo = "silo",
            State = DatabaseState.Active,
            ActivatedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
            ActivationMs = new Dictionary<string, double> { ["lease"] = 1.5 },
        };
    }
}
