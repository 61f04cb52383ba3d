using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Silo.Gateway.Authentication;

namespace Silo.SystemTests;

/// <summary>What is wrong with a request is said in the words of API.md, and nothing changes.</summary>
public sealed class BadInputTests(BadInputTests.SharedService shared) : IClassFixture<BadInputTests.SharedService>, IDisposable
{
    private readonly StandaloneHost _silo = shared.Silo;
    private readonly Client _member = shared.Silo.Member("acme");
    private readonly string _ada = shared.Ada;

    public void Dispose() => _silo.Process.Report();

    private async Task NothingChangesAsync(Func<Task> calls)
    {
        var before = await StateAsync();
        await calls();
        Assert.Equal(before, await StateAsync());
    }

    private async Task<string[]> StateAsync()
    {
        var databases = (await _silo.Operator.GetAsync("/api/admin/databases")).Is(200).Json.GetProperty("items");
        return
        [
            (await _member.GetAsync("/api/contacts")).Is(200).Text,
            (await _member.GetAsync("/api/contacts/count")).Is(200).Text,
            (await _silo.Operator.GetAsync("/api/admin/organizations")).Is(200).Text,
            .. databases.EnumerateArray().Where(database => database.GetProperty("state").GetString() == "active").Select(database => database.GetProperty("organization").GetString()!),
            .. Directory.EnumerateFileSystemEntries(shared.Folder, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 }).Order(StringComparer.Ordinal),
        ];
    }

    [Fact]
    public Task OrganizationId_ThatIsNone_NeverReachesAPath() => NothingChangesAsync(async () =>
    {
        string[] ids = ["../x", "..", ".", "%2e", "%2e%2e", "a/b", "ACME", "Acme", "acme ", " acme", "-acme", "acme-", "acme\0", "a\nb", "é", "$HOME", new string('a', 64), new string('a', 65), "demo/../acme"];
        foreach (var id in ids)
        {
            (await _silo.Member(id).GetAsync("/api/contacts")).Refuses(400, "invalid_organization_id");
            (await _silo.Member(id).AddContactAsync("Eve")).Refuses(400, "invalid_organization_id");
            (await _silo.Operator.PostAsync("/api/admin/organizations", JsonSerializer.Serialize(new { id, name = "x" }))).Refuses(400, "invalid_organization_id");
        }
        (await _silo.Member("").GetAsync("/api/contacts")).Refuses(400, "invalid_organization_id");

        // In a path: what is no segment any more after decoding is another path, or none.
        foreach (var id in (string[])["%2e%2e%2fx", "..%2fx", "ACME", "acme%20", "%252e", new string('a', 65)])
        {
            foreach (var path in (string[])["/api/admin/databases/{0}", "/api/admin/organizations/{0}"])
                Assert.Contains((await _silo.Operator.GetAsync(string.Format(null, path, id))).Code, (string[])["invalid_organization_id", "invalid_request", "not_found"]);
            Assert.Contains((await _silo.Operator.PostAsync($"/api/admin/databases/{id}/warm")).Code, (string[])["invalid_organization_id", "invalid_request", "not_found"]);
            Assert.Contains((await _silo.Operator.PostAsync($"/api/admin/databases/{id}/deactivate")).Code, (string[])["invalid_organization_id", "invalid_request", "not_found"]);
        }
        (await _silo.Operator.GetAsync("/api/admin/databases/ACME")).Refuses(400, "invalid_organization_id");
        (await _silo.Operator.GetAsync("/api/admin/databases/%2e%2e%2fx")).Refuses(400, "invalid_organization_id");
        (await _silo.Operator.GetAsync($"/api/admin/organizations/{new string('a', 65)}")).Refuses(400, "invalid_organization_id");
    });

    [Fact]
    public Task Organization_Unknown_IsNotFoundAndLeavesNothing() => NothingChangesAsync(async () =>
    {
        var nobody = _silo.Member("nobody");
        (await nobody.GetAsync("/api/contacts")).Refuses(404, "organization_not_found");
        (await nobody.GetAsync($"/api/contacts/{_ada}")).Refuses(404, "organization_not_found");
        (await nobody.AddContactAsync("Eve")).Refuses(404, "organization_not_found");
        (await _silo.Operator.GetAsync("/api/admin/organizations/nobody")).Refuses(404, "organization_not_found");
        (await _silo.Operator.GetAsync("/api/admin/databases/nobody")).Refuses(404, "organization_not_found");
        (await _silo.Operator.PostAsync("/api/admin/databases/nobody/warm")).Refuses(404, "organization_not_found");
        Assert.Null(await _silo.Bucket.HeadAsync("nobody"));
    });

    [Fact]
    public Task Contact_ThatBreaksARule_IsRefused() => NothingChangesAsync(async () =>
    {
        foreach (var json in (string[])["", "{", "[]", "null", "1", "\"x\"", "{\"name\":1}", "{\"name\":[\"x\"]}", "{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":\"x\"}}", "{'name':'x'}", "{\"name\":\"x\",}", "{\"name\":\"\\ud800\"}"])
        {
            (await _member.PostAsync("/api/contacts", json)).Refuses(400, "invalid_request");
            (await _member.PutAsync($"/api/contacts/{_ada}", json)).Refuses(400, "invalid_request");
        }

        string Long(int length) => new('x', length);
        foreach (var (json, field) in ((object, string)[])
        [
            (new { email = "a@b.example" }, "name"), (new { name = "" }, "name"), (new { name = "  " }, "name"), (new { name = Long(201) }, "name"),
            (new { name = "x", email = "x" }, "email"), (new { name = "x", email = "a@b@c.example" }, "email"), (new { name = "x", email = Long(310) + "@b.example" }, "email"),
            (new { name = "x", phone = Long(41) }, "phone"), (new { name = "x", company = Long(201) }, "company"),
            (new { name = "x", notes = Long(10_001) }, "notes"), (new { name = "a\0b" }, "name"),
        ])
        {
            var refusal = (await _member.PostAsync("/api/contacts", JsonSerializer.Serialize(json))).Refuses(422, "validation_failed");
            Assert.NotEmpty(refusal.Json.GetProperty("errors").GetProperty(field).EnumerateArray());
            (await _member.PutAsync($"/api/contacts/{_ada}", JsonSerializer.Serialize(json))).Refuses(422, "validation_failed");
        }

        // The e-mail is compared without case, the phone of contacts without an e-mail by its digits.
        (await _member.PostAsync("/api/contacts", """{"name":"x","email":"ada@EXAMPLE.org"}""")).Refuses(409, "contact_exists");
        (await _member.PostAsync("/api/contacts", """{"name":"x","phone":"+1 (555) 01-00"}""")).Refuses(409, "contact_exists");
        (await _member.PutAsync($"/api/contacts/{_ada}", """{"name":"x","phone":"+15550100"}""")).Refuses(409, "contact_exists");

        (await _member.PutAsync("/api/contacts/nobody", """{"name":"x"}""")).Refuses(404, "contact_not_found");
        (await _member.DeleteAsync("/api/contacts/nobody")).Refuses(404, "contact_not_found");
        (await _member.GetAsync($"/api/contacts/{Long(5_000)}")).Refuses(404, "contact_not_found");
        (await _member.GetAsync("/api/contacts/'%20OR%201=1%20--")).Refuses(404, "contact_not_found");
    });

    [Fact]
    public Task Query_ThatMakesNoSense_IsRefused() => NothingChangesAsync(async () =>
    {
        foreach (var query in (string[])["limit=0", "limit=501", "limit=-1", "limit=x", "limit=1.5", "limit=99999999999", "cursor=x", "cursor=%00", "cursor=' OR 1=1", "search=" + new string('x', 1_000)])
            (await _member.GetAsync("/api/contacts?" + query.Replace(" ", "%20", StringComparison.Ordinal))).Refuses(400, "invalid_request");
        foreach (var durability in (string[])["Replicated", "none", "local,replicated", "1"])
            (await _member.AddContactAsync("Eve", durability)).Refuses(400, "invalid_request");
        foreach (var query in (string[])["dbType=x", "limit=0", "limit=x"])
            (await _silo.Operator.GetAsync("/api/admin/organizations?" + query)).Refuses(400, "invalid_request");
        // A search is a text, not a pattern.
        foreach (var search in (string[])["%25", "_", "'", "*", "\""])
            Assert.Empty((await _member.GetAsync($"/api/contacts?search={search}")).Is(200).Json.GetProperty("items").EnumerateArray());
    });

    [Fact]
    public Task Path_OrMethodOrBodyThatIsNotThere_IsRefused() => NothingChangesAsync(async () =>
    {
        foreach (var path in (string[])["/", "/api", "/api/contact", "/api/contacts/1/2", "/api/../etc/passwd", "/api/%2e%2e/%2e%2e/etc/passwd", "//api/contacts", "/api/contacts/count/x"])
            (await _member.GetAsync(path)).Refuses(404, "not_found");
        foreach (var (method, path) in ((HttpMethod, string)[])
            [(HttpMethod.Put, "/api/contacts"), (HttpMethod.Patch, $"/api/contacts/{_ada}"), (HttpMethod.Delete, "/api/contacts"), (HttpMethod.Post, $"/api/contacts/{_ada}"), (new("TEAPOT"), "/api/contacts")])
            (await _member.SendAsync(method, path, """{"name":"x"}""")).Refuses(405, "method_not_allowed");

        foreach (var type in (string[])["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "text/csv"])
            (await _member.SendAsync(HttpMethod.Post, "/api/contacts", Body("""{"name":"x"}""", type))).Refuses(415, "unsupported_media_type");
        (await _member.SendAsync(HttpMethod.Post, "/api/contacts", Body("""{"name":"x"}""", null))).Refuses(415, "unsupported_media_type");

        var huge = $$"""{"name":"x","notes":"{{new string('n', 1_000_000)}}"}""";
        (await _member.SendAsync(HttpMethod.Post, "/api/contacts", Body(huge, "application/json"))).Refuses(413, "payload_too_large");
        (await _member.SendAsync(HttpMethod.Post, "/api/contacts", Body(huge, "application/json"), request => request.Headers.TransferEncodingChunked = true)).Refuses(413, "payload_too_large");
        (await _member.SendAsync(HttpMethod.Put, $"/api/contacts/{_ada}", Body(huge, "application/json"))).Refuses(413, "payload_too_large");
    });

    [Fact]
    public Task Caller_WithoutAGoodToken_IsTurnedAway() => NothingChangesAsync(async () =>
    {
        var tokens = Service.Tokens;
        var good = tokens.Member("acme");
        var parts = good.Split('.');
        var otherKey = new DevelopmentTokens(DevelopmentTokens.NewSigningKey(), TimeProvider.System);
        string[] bad =
        [
            "", "x", "a.b.c", good[..^2], parts[0] + "." + parts[1] + ".", otherKey.Member("acme"), tokens.Member("acme", lifetime: TimeSpan.FromHours(-1)),
            // alg none, and the claims of another organization under the good signature
            Base64("""{"alg":"none","typ":"JWT"}""") + "." + parts[1] + ".", parts[0] + "." + Base64("""{"sub":"x","org":"demo","role":"admin","exp":9999999999}""") + "." + parts[2],
        ];
        foreach (var token in bad.Append(null))
        {
            (await _silo.Service.With(token).GetAsync("/api/contacts")).Refuses(401, "unauthenticated");
            (await _silo.Service.With(token).AddContactAsync("Eve")).Refuses(401, "unauthenticated");
            (await _silo.Service.With(token).GetAsync("/api/admin/databases")).Refuses(401, "unauthenticated");
        }

        foreach (var path in (string[])["/api/admin/organizations", "/api/admin/databases", "/api/admin/databases/acme"]) (await _member.GetAsync(path)).Refuses(403, "forbidden");
        (await _member.PostAsync("/api/admin/organizations", """{"id":"eve","name":"x"}""")).Refuses(403, "forbidden");
        (await _member.PostAsync("/api/admin/databases/acme/deactivate")).Refuses(403, "forbidden");
        foreach (var role in (string?[])[null, "", "Member", "owner"])
            (await _silo.Service.With(tokens.Create("eve", "acme", role, TimeSpan.FromHours(1))).GetAsync("/api/contacts")).Refuses(403, "forbidden");
        (await _silo.Operator.GetAsync("/api/contacts")).Refuses(403, "forbidden");
    });

    [Fact]
    public async Task Organization_WithAnothersContactId_SeesNothingOfIt()
    {
        await _silo.Operator.CreateOrganizationAsync("other");
        var other = _silo.Member("other");
        var own = (await other.PostAsync("/api/contacts", """{"name":"Own","email":"ada@example.org"}""")).Is(201);

        (await other.GetAsync($"/api/contacts/{_ada}")).Refuses(404, "contact_not_found");
        (await other.PutAsync($"/api/contacts/{_ada}", """{"name":"x"}""")).Refuses(404, "contact_not_found");
        (await other.DeleteAsync($"/api/contacts/{_ada}")).Refuses(404, "contact_not_found");
        (await _member.GetAsync($"/api/contacts/{own.Id}")).Refuses(404, "contact_not_found");

        Assert.Equal(["Own"], await other.NamesAsync());
        Assert.Equal(["Grace", "Ada"], await _member.NamesAsync());
        Assert.Equal(1, await other.CountAsync());
        // A cursor of one organization is no key to another.
        var page = (await _member.GetAsync("/api/contacts?limit=1")).Is(200).Json.GetProperty("nextCursor").GetString()!;
        Assert.DoesNotContain("Ada", (await other.GetAsync($"/api/contacts?cursor={Uri.EscapeDataString(page)}")).Text, StringComparison.Ordinal);
        (await _silo.Operator.PostAsync("/api/admin/organizations", """{"id":"acme","name":"again"}""")).Refuses(409, "organization_exists");
    }

    private static StringContent Body(string text, string? type) => new(text, Encoding.UTF8) { Headers = { ContentType = type is null ? null : new MediaTypeHeaderValue(type) } };

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text)).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    /// <summary>One service for all: none of these calls may leave a trace in it.</summary>
    public sealed class SharedService : IAsyncLifetime
    {
        private readonly Machine _machine = new();

        internal StandaloneHost Silo { get; private set; } = null!;

        internal string Ada { get; private set; } = "";

        internal string Folder => _machine.Databases;

        public async ValueTask InitializeAsync()
        {
            Silo = await _machine.StartStandaloneAsync();
            await Silo.Operator.CreateOrganizationAsync("acme");
            Ada = (await Silo.Member("acme").PostAsync("/api/contacts", """{"name":"Ada","email":"Ada@Example.org"}""")).Is(201).Id;
            (await Silo.Member("acme").PostAsync("/api/contacts", """{"name":"Grace","phone":"+1 555 0100"}""")).Is(201);
        }

        public ValueTask DisposeAsync() => _machine.DisposeAsync();
    }
}
