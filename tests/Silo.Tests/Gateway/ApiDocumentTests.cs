using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed partial class ApiDocumentTests(StandInCluster cluster) : IAsyncLifetime
{
    // As in API.md, without what later issues add.
    private static readonly string[] Calls =
    [
        "get /api/contacts", "post /api/contacts", "get /api/contacts/{id}", "put /api/contacts/{id}", "delete /api/contacts/{id}",
        "get /api/contacts/count",
        "get /api/admin/organizations", "post /api/admin/organizations", "get /api/admin/organizations/{id}",
        "get /api/admin/organizations/{id}/export", "get /api/admin/organizations/{id}/restore", "post /api/admin/organizations/{id}/restore", "get /api/admin/organizations/{id}/migrate", "post /api/admin/organizations/{id}/migrate", "get /api/admin/migrations", "get /api/admin/audit", "get /api/admin/locks", "delete /api/admin/locks/{id}",
        "get /api/admin/databases", "get /api/admin/databases/{id}",
        "post /api/admin/databases/{id}/warm", "post /api/admin/databases/{id}/deactivate",
        "post /api/contacts/bulk-import", "get /api/imports/{id}", "get /api/imports/{id}/events", "get /api/audit",
        "post /api/admin/organizations/{organization}/contacts/bulk-import", "get /api/admin/organizations/{organization}/imports/{id}",
        "get /api/admin/organizations/{organization}/imports/{id}/events", "get /api/admin/organizations/{organization}/audit",
        "get /health/live", "get /health/ready",
    ];

    private TestGateway _gateway = null!;
    private JsonElement _document;

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.Start(cluster.Client);
        using var response = await _gateway.Get("/openapi/v1.json");
        _document = await response.Json();
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public void Document_HasEveryCall() => Assert.Equal(Calls.Order(), Operations().Select(call => $"{call.Method} {call.Path}").Order());

    [Fact]
    public void EveryCall_UnderApi_NamesItsTokenAndItsProblems()
    {
        foreach (var (path, _, operation) in Operations().Where(call => call.Path.StartsWith("/api/", StringComparison.Ordinal)))
        {
            Assert.True(operation.GetProperty("security")[0].TryGetProperty("bearer", out _), path);
            var responses = operation.GetProperty("responses");
            foreach (var status in new[] { "400", "401", "403", "429", "500", "503" })
            {
                Assert.Equal("#/components/schemas/Problem", responses.GetProperty(status).GetProperty("content")
                    .GetProperty("application/problem+json").GetProperty("schema").GetProperty("$ref").GetString());
            }
            Assert.True(responses.GetProperty("503").GetProperty("headers").TryGetProperty("Retry-After", out _));
        }
        Assert.Equal("http", _document.GetProperty("components").GetProperty("securitySchemes").GetProperty("bearer").GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("/api/contacts", "post", "201")]
    [InlineData("/api/contacts/{id}", "put", "200")]
    [InlineData("/api/contacts/{id}", "delete", "204")]
    public void EveryWrite_NamesItsDurability(string path, string method, string status)
    {
        var operation = _document.GetProperty("paths").GetProperty(path).GetProperty(method);
        Assert.Contains(operation.GetProperty("parameters").EnumerateArray(), parameter => parameter.GetProperty("name").GetString() == "Silo-Durability");
        Assert.True(operation.GetProperty("responses").GetProperty(status).GetProperty("headers").TryGetProperty("Silo-Durability", out _));
    }

    [Fact]
    public void Contact_HasItsLimits()
    {
        var fields = _document.GetProperty("components").GetProperty("schemas").GetProperty("ContactFields");
        Assert.Equal(["name"], fields.GetProperty("required").EnumerateArray().Select(name => name.GetString()));
        foreach (var (field, longest) in new[] { ("name", 200), ("email", 320), ("phone", 40), ("company", 200), ("notes", 10_000), ("agentId", 200) })
        {
            Assert.Equal(longest, fields.GetProperty("properties").GetProperty(field).GetProperty("maxLength").GetInt32());
        }
        var limit = _document.GetProperty("paths").GetProperty("/api/contacts").GetProperty("get").GetProperty("parameters")[0].GetProperty("schema");
        Assert.Equal((1, 500, 50), (limit.GetProperty("minimum").GetInt32(), limit.GetProperty("maximum").GetInt32(), limit.GetProperty("default").GetInt32()));
    }

    [Fact]
    public void EverySchema_HasATypeOrAReference()
    {
        foreach (var schema in _document.GetProperty("components").GetProperty("schemas").EnumerateObject())
        {
            Assert.True(schema.Value.TryGetProperty("type", out _), schema.Name);
            if (!schema.Value.TryGetProperty("properties", out var properties)) continue;
            foreach (var property in properties.EnumerateObject())
            {
                Assert.True(property.Value.TryGetProperty("type", out _) || property.Value.TryGetProperty("$ref", out _) || property.Value.TryGetProperty("oneOf", out _), $"{schema.Name}.{property.Name}");
            }
        }
    }

    [Fact]
    public async Task Docs_LoadNothingFromElsewhere()
    {
        using var page = await _gateway.Get("/docs");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        var html = await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotMatch("https?://", html);
        Assert.Contains("default-src 'self'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        foreach (Match source in Source().Matches(html))
        {
            using var asset = await _gateway.Get("/docs/" + source.Groups[1].Value);
            Assert.Equal(HttpStatusCode.OK, asset.StatusCode);
            Assert.False(asset.Headers.CacheControl?.NoStore);
        }
        Assert.NotEmpty(Source().Matches(html));
    }

    private IEnumerable<(string Path, string Method, JsonElement Operation)> Operations() =>
        from path in _document.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        select (path.Name, operation.Name, operation.Value);

    [GeneratedRegex("src=\"([^\"]+)\"")]
    private static partial Regex Source();
}
