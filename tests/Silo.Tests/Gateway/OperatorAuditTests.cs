using System.Net;
using Silo.Contracts;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class OperatorAuditTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "aud-" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Actions.Clear();
        cluster.StandIns.Failures.Clear();
        cluster.StandIns.Organizations[_id] = new Organization { Id = OrganizationId.Parse(_id), Name = _id, DbType = OrganizationDbType.Sqlite };
        _gateway = await TestGateway.Start(cluster.Client);
    }

    public async ValueTask DisposeAsync()
    {
        cluster.StandIns.Failures.Clear();
        await _gateway.DisposeAsync();
    }

    [Fact]
    public async Task Actions_AreWrittenDownWithTheirAnswer_AndLooksAreNot()
    {
        using var warmed = await _gateway.Send(HttpMethod.Post, $"/api/admin/databases/{_id}/warm", _gateway.Tokens.Admin());
        using var refused = await _gateway.Send(HttpMethod.Delete, $"/API/Admin/locks/{_id}", _gateway.Tokens.Admin());
        using var looked = await _gateway.Get("/api/admin/databases", _gateway.Tokens.Admin());
        using var member = await _gateway.Send(HttpMethod.Post, $"/api/admin/databases/{_id}/warm", _gateway.Tokens.Member(_id));
        var rows = await Eventually.GetAsync(
            async () => (await (await _gateway.Get("/api/admin/audit", _gateway.Tokens.Admin())).Json()).GetProperty("items").EnumerateArray().ToList() is var items
                && items.All(item => item.GetProperty("status").ValueKind == System.Text.Json.JsonValueKind.Number) ? items : null,
            "the answers are written down");
        Assert.Equal(
            [($"DELETE /API/Admin/locks/{_id}", 404), ($"POST /api/admin/databases/{_id}/warm", 202)],
            rows.Select(row => (row.GetProperty("action").GetString()!, row.GetProperty("status").GetInt32())));
        Assert.All(rows, row => Assert.Equal((_id, "127.0.0.1"), (row.GetProperty("organization").GetString(), row.GetProperty("source").GetString()!.Replace("::ffff:", "", StringComparison.Ordinal))));
        Assert.All(rows, row => Assert.NotEmpty(row.GetProperty("operator").GetString()!));
    }

    [Theory]
    [InlineData("/api/admin/organizations/{0}/export")]
    [InlineData("/admin/export/{0}")]
    public async Task Export_AtEitherPath_IsWrittenDown(string path)
    {
        cluster.StandIns.Files[_id] = [1, 2, 3];
        var asked = string.Format(System.Globalization.CultureInfo.InvariantCulture, path, _id);
        using var sent = await _gateway.Get(asked, _gateway.Tokens.Admin());
        Assert.Equal(HttpStatusCode.OK, sent.StatusCode);
        Assert.Equal($"GET {asked}", Assert.Single(cluster.StandIns.Actions.Values).Action);
    }

    [Fact]
    public async Task Import_ForAnOrganization_IsWrittenDownAsThatOrganizations()
    {
        using var refused = await _gateway.Send(HttpMethod.Post, $"/api/admin/organizations/{_id}/contacts/bulk-import?strict=perhaps", _gateway.Tokens.Admin(), "[]");
        await refused.Problem(400, "invalid_request");
        Assert.Equal(_id, Assert.Single(cluster.StandIns.Actions.Values).Organization);
    }

    [Fact]
    public async Task Action_ThatCannotBeWrittenDown_IsNotDone()
    {
        cluster.StandIns.Failures["audit"] = new OrganizationException(OrganizationErrorCode.ClusterUnavailable, "The catalog is away.") { RetryAfter = TimeSpan.FromSeconds(1) };
        var name = "new-" + Guid.NewGuid().ToString("N");
        using var refused = await _gateway.Send(HttpMethod.Post, "/api/admin/organizations", _gateway.Tokens.Admin(), $$"""{"id":"{{name}}","name":"New"}""");
        await refused.Problem(503, "cluster_unavailable");
        Assert.False(cluster.StandIns.Organizations.ContainsKey(name));
        using var looked = await _gateway.Get("/api/admin/organizations", _gateway.Tokens.Admin());
        Assert.Equal(HttpStatusCode.OK, looked.StatusCode);
    }
}
