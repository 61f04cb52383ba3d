using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Silo.Contracts.Contacts;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class ContactEndpointsTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _organization = "org-" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;
    private string _token = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.Start(cluster.Client);
        _token = _gateway.Member(_organization);
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Contact_FromCreationToDeletion_IsServed()
    {
        using var created = await Post("""{"name":"Ada","email":"ada@example.org"}""");
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal("local", created.Headers.GetValues("Silo-Durability").Single());
        Assert.Equal("application/json; charset=utf-8", created.Content.Headers.ContentType?.ToString());
        Assert.NotNull(created.Content.Headers.ContentLength);
        Assert.True(created.Headers.CacheControl?.NoStore);
        Assert.Equal("nosniff", created.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.False(created.Headers.Contains("Server"));
        var id = (await created.Json()).GetProperty("id").GetString();
        Assert.Equal($"/api/contacts/{id}", created.Headers.Location?.OriginalString);

        using var got = await _gateway.Get($"/api/contacts/{id}", _token);
        Assert.Equal("Ada", (await got.Json()).GetProperty("name").GetString());
        using var list = await _gateway.Get("/api/contacts", _token);
        Assert.Equal(1, (await list.Json()).GetProperty("items").GetArrayLength());
        using var count = await _gateway.Get("/api/contacts/count", _token);
        Assert.Equal("{\"count\":1}", await count.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        using var replaced = await _gateway.Send(HttpMethod.Put, $"/api/contacts/{id}", _token, """{"name":"Ada L."}""",
            request => request.Headers.Add("Silo-Durability", "replicated"));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        Assert.Equal("replicated", replaced.Headers.GetValues("Silo-Durability").Single());
        Assert.Equal(JsonValueKind.Null, (await replaced.Json()).GetProperty("email").ValueKind);

        using var deleted = await _gateway.Send(HttpMethod.Delete, $"/api/contacts/{id}", _token);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal("local", deleted.Headers.GetValues("Silo-Durability").Single());
        using var gone = await _gateway.Get($"/api/contacts/{id}", _token);
        await gone.Problem(404, "contact_not_found");
    }

    [Fact]
    public async Task Organizations_NeverSeeEachOther()
    {
        using var created = await Post("""{"name":"Ada"}""");
        using var other = await _gateway.Get(created.Headers.Location!.OriginalString, _gateway.Member("other-" + Guid.NewGuid().ToString("N")));
        await other.Problem(404, "contact_not_found");
    }

    [Theory]
    [InlineData("?limit=0")]
    [InlineData("?limit=501")]
    [InlineData("?limit=-1")]
    [InlineData("?limit=ten")]
    [InlineData("?limit=1.5")]
    [InlineData("?limit=99999999999")]
    [InlineData("?limit=1&limit=2")]
    public async Task List_LimitOutsideItsRange_IsRefused(string query)
    {
        using var response = await _gateway.Get("/api/contacts" + query, _token);
        await response.Problem(400, "invalid_request");
    }

    [Theory]
    [InlineData("", 50, null, null)]
    [InlineData("?limit=&search=&cursor=", 50, null, null)]
    [InlineData("?limit=500&search=a%20b%26%C3%A4&cursor=xyz", 500, "xyz", "a b&ä")]
    [InlineData("?limit=1&unknown=1", 1, null, null)]
    public async Task List_Query_ReachesTheDatabase(string query, int limit, string? cursor, string? search)
    {
        using var response = await _gateway.Get("/api/contacts" + query, _token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(new ContactListQuery(limit, cursor, search), cluster.StandIns.LastQuery[_organization]);
    }

    [Theory]
    [InlineData(ContactListQuery.MaxSearch, 200)]
    [InlineData(ContactListQuery.MaxSearch + 1, 400)]
    public async Task List_Search_HasItsLimit(int length, int status)
    {
        using var response = await _gateway.Get("/api/contacts?search=" + new string('x', length), _token);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task List_SearchWithNul_IsRefused() => await (await _gateway.Get("/api/contacts?search=a%00b", _token)).Problem(400, "invalid_request");

    [Theory]
    [InlineData("""{"name":1}""", "$.name")]
    [InlineData("""{"name":"a","email":["b"]}""", "$.email")]
    [InlineData("""{"name":"a","phone":{}}""", "$.phone")]
    [InlineData("""{"name":"a","name":"b"}""", "$.name")]
    [InlineData("""{"name":"a",}""", null)]
    [InlineData("""{"name":"a"}{}""", null)]
    [InlineData("""{"name":"\ud800"}""", null)]
    [InlineData("[]", null)]
    [InlineData("null", null)]
    [InlineData("\"x\"", null)]
    [InlineData("", null)]
    [InlineData("{", null)]
    public async Task Create_BodyThatIsNoContact_IsRefused(string json, string? path)
    {
        using var response = await Post(json);
        var problem = await response.Problem(400, "invalid_request");
        if (path is not null) Assert.Contains(path, problem.GetProperty("detail").GetString());
        Assert.DoesNotContain("Silo.", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Create_InvalidUtf8_IsRefused()
    {
        using var response = await _gateway.Send(HttpMethod.Post, "/api/contacts", _token, configure: request =>
        {
            request.Content = new ByteArrayContent([.. "{\"name\":\""u8, 0xFF, 0xFE, .. "\"}"u8]);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        });
        await response.Problem(400, "invalid_request");
    }

    [Fact]
    public async Task Create_UnknownProperties_AreIgnored()
    {
        using var response = await Post("""{"name":"Ada","id":"mine","createdAt":"2000-01-01T00:00:00Z","x":{"y":[1]}}""");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.NotEqual("mine", (await response.Json()).GetProperty("id").GetString());
    }

    [Theory]
    [InlineData("{}", "name")]
    [InlineData("""{"name":null}""", "name")]
    [InlineData("""{"name":" "}""", "name")]
    [InlineData("""{"name":"a","email":"no address"}""", "email")]
    [InlineData("""{"name":"a","phone":"01234567890123456789012345678901234567890"}""", "phone")]
    [InlineData("""{"name":"a","notes":"a\u0000b"}""", "notes")]
    public async Task Create_FieldsThatBreakARule_AreListed(string json, string field)
    {
        using var response = await Post(json);
        var problem = await response.Problem(422, "validation_failed");
        Assert.NotEqual(0, problem.GetProperty("errors").GetProperty(field).GetArrayLength());
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData(null)]
    public async Task Create_AnotherContentType_IsRefused(string? contentType)
    {
        using var response = await _gateway.Send(HttpMethod.Post, "/api/contacts", _token, configure: request =>
        {
            request.Content = new ByteArrayContent("""{"name":"Ada"}"""u8.ToArray());
            if (contentType is not null) request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        });
        await response.Problem(415, "unsupported_media_type");
    }

    [Fact]
    public async Task Create_CompressedBody_IsRefused()
    {
        using var response = await _gateway.Send(HttpMethod.Post, "/api/contacts", _token, configure: request =>
        {
            request.Content = new ByteArrayContent([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Content.Headers.ContentEncoding.Add("gzip");
        });
        await response.Problem(415, "unsupported_media_type");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Create_BodyOverTheLimit_IsRefused(bool chunked)
    {
        using var response = await _gateway.Send(HttpMethod.Post, "/api/contacts", _token, configure: request =>
        {
            var json = Encoding.UTF8.GetBytes($$"""{"name":"Ada","notes":"{{new string('x', 140_000)}}"}""");
            request.Content = new ByteArrayContent(json);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TransferEncodingChunked = chunked;
        });
        await response.Problem(413, "payload_too_large");
    }

    [Fact]
    public async Task Create_LargestContact_FitsTheLimit()
    {
        // Each character is escaped, which takes six.
        static string Text(int length) => new('ä', length);
        var contact = new
        {
            name = Text(ContactRules.MaxName),
            email = Text(63) + "@" + Text(ContactRules.MaxEmail - 64),
            phone = Text(ContactRules.MaxPhone),
            company = Text(ContactRules.MaxCompany),
            notes = Text(ContactRules.MaxNotes),
            agentId = Text(ContactRules.MaxAgentId),
        };
        var json = JsonSerializer.Serialize(contact);
        Assert.InRange(json.Length, 65_537, 131_072);
        using var response = await Post(json);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    [Theory]
    [InlineData("always")]
    [InlineData("Local")]
    [InlineData("local,replicated")]
    public async Task Write_UnknownDurability_IsRefused(string durability)
    {
        using var post = await _gateway.Send(HttpMethod.Post, "/api/contacts", _token, """{"name":"a"}""", r => r.Headers.Add("Silo-Durability", durability));
        await post.Problem(400, "invalid_request");
        using var put = await _gateway.Send(HttpMethod.Put, "/api/contacts/x", _token, """{"name":"a"}""", r => r.Headers.Add("Silo-Durability", durability));
        await put.Problem(400, "invalid_request");
        using var delete = await _gateway.Send(HttpMethod.Delete, "/api/contacts/x", _token, configure: r => r.Headers.Add("Silo-Durability", durability));
        await delete.Problem(400, "invalid_request");
    }

    [Fact]
    public async Task Contact_IdLongerThanAny_IsNotFoundWithoutAskingTheDatabase()
    {
        var path = "/api/contacts/" + new string('x', 101);
        using var get = await _gateway.Get(path, _token);
        await get.Problem(404, "contact_not_found");
        using var put = await _gateway.Send(HttpMethod.Put, path, _token, """{"name":"a"}""");
        await put.Problem(404, "contact_not_found");
        using var delete = await _gateway.Send(HttpMethod.Delete, path, _token);
        await delete.Problem(404, "contact_not_found");
        Assert.Equal(0, cluster.StandIns.Arrival(_organization).CurrentCount);
    }

    [Fact]
    public async Task Answer_ToAnyAccept_IsJson()
    {
        using var response = await _gateway.Send(HttpMethod.Get, "/api/contacts/x", _token, configure: r => r.Headers.Accept.ParseAdd("text/html"));
        await response.Problem(404, "contact_not_found");
    }

    private Task<HttpResponseMessage> Post(string json) => _gateway.Send(HttpMethod.Post, "/api/contacts", _token, json);
}
