using System.Net;
using System.Text.RegularExpressions;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed partial class AdminPageTests(StandInCluster cluster) : IAsyncLifetime
{
    private TestGateway _gateway = null!;

    public async ValueTask InitializeAsync() => _gateway = await TestGateway.Start(cluster.Client);

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Page_AndItsParts_AllowNothingButThemselves()
    {
        var html = await Text("/admin");
        var parts = Part().Matches(html).Select(match => match.Value).ToHashSet();
        foreach (var script in parts.Where(part => part.EndsWith(".js", StringComparison.Ordinal)).ToArray()) await Follow(script);
        Assert.Contains("/admin/page/admin.css", parts);
        Assert.Contains("/admin/page/table.js", parts);

        foreach (var path in parts.Append("/admin"))
        {
            using var response = await _gateway.Get(path);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var policy = Header(response, "Content-Security-Policy").Split("; ");
            Assert.Contains("default-src 'none'", policy);
            Assert.Contains("script-src 'self'", policy);
            Assert.Contains("style-src 'self'", policy);
            Assert.Contains("frame-ancestors 'none'", policy);
            Assert.DoesNotContain(policy, rule => rule.Contains("unsafe", StringComparison.Ordinal));
            Assert.Equal("nosniff", Header(response, "X-Content-Type-Options"));
            Assert.Equal("DENY", Header(response, "X-Frame-Options"));
            Assert.Equal("no-referrer", Header(response, "Referrer-Policy"));
            Assert.Equal("same-origin", Header(response, "Cross-Origin-Opener-Policy"));
            Assert.Equal("same-origin", Header(response, "Cross-Origin-Resource-Policy"));
        }

        async Task Follow(string script)
        {
            foreach (Match import in Import().Matches(await Text(script)))
            {
                if (parts.Add("/admin/page/" + import.Groups[1].Value)) await Follow("/admin/page/" + import.Groups[1].Value);
            }
        }
    }

    [Fact]
    public async Task Page_HasNoScriptOrStyleInIt()
    {
        var html = await Text("/admin");
        Assert.DoesNotMatch(@"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html);
        Assert.DoesNotMatch("https?:", html);
    }

    [Fact]
    public async Task Page_SaysWhoHasSignedIn_AsTextAndNothingElse()
    {
        using var response = await _gateway.Send(HttpMethod.Get, "/admin", configure: request =>
            request.Headers.Add("Cookie", $"silo-admin={_gateway.Tokens.Admin(user: "\"><script>", lifetime: TimeSpan.FromMinutes(10))}"));
        var html = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.Headers.CacheControl?.NoStore);
        Assert.Contains("data-user=\"&quot;&gt;&lt;script&gt;\"", html, StringComparison.Ordinal);
        Assert.Matches("data-expires-in=\"(59\\d|600)\"", html);
        using var member = await _gateway.Send(HttpMethod.Get, "/admin", configure: request => request.Headers.Add("Cookie", $"silo-admin={_gateway.Member("demo")}"));
        Assert.Contains("data-user=\"\" data-expires-in=\"0\"", await member.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Part_Unchanged_IsNotSentAgain()
    {
        using var first = await _gateway.Get("/admin/page/admin.js");
        Assert.True(first.Headers.CacheControl?.NoCache);
        using var second = await _gateway.Send(HttpMethod.Get, "/admin/page/admin.js", configure: request => request.Headers.IfNoneMatch.Add(first.Headers.ETag!));
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Theory]
    [InlineData("/admin/page/index.html")]
    [InlineData("/admin/page/none.js")]
    [InlineData("/admin/page/..%2Fadmin.js")]
    public async Task Part_ThatIsNone_IsNotFound(string path)
    {
        using var response = await _gateway.Get(path);
        await response.Problem(404, "not_found");
    }

    [Fact]
    public async Task Database_Active_ShowsWhatThePageNeeds()
    {
        cluster.StandIns.Active["acme"] = new DatabaseStatus
        {
            Organization = OrganizationId.Parse("acme"),
            Silo = "silo",
            State = DatabaseState.Active,
            ActivatedAt = DateTimeOffset.UnixEpoch,
            ActivationMs = new Dictionary<string, double>(),
            Durability = Durability.Replicated,
            IdleTimeoutSeconds = 300,
            Imports = [new() { Id = "i", State = ImportState.Running, Phase = ImportPhase.Merging, StartedAt = DateTimeOffset.UnixEpoch, Processed = 7 }],
        };
        using var response = await _gateway.Get("/api/admin/databases/acme", _gateway.Tokens.Admin());
        cluster.StandIns.Active.TryRemove("acme", out _);
        var status = await response.Json();
        Assert.Equal("replicated", status.GetProperty("durability").GetString());
        Assert.Equal(300, status.GetProperty("idleTimeoutSeconds").GetDouble());
        Assert.Equal(("merging", 7), (status.GetProperty("imports")[0].GetProperty("phase").GetString(), status.GetProperty("imports")[0].GetProperty("processed").GetInt32()));
    }

    private async Task<string> Text(string path)
    {
        using var response = await _gateway.Get(path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    private static string Header(HttpResponseMessage response, string name) => string.Join(",", response.Headers.GetValues(name));

    [GeneratedRegex(@"/admin/page/[\w.]+")]
    private static partial Regex Part();

    [GeneratedRegex(@"from '\./([\w.]+)'")]
    private static partial Regex Import();
}
