using System.Net;
using Silo.Contracts;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Gateway;

/// <summary>A browser's way in: a token becomes a cookie, which counts where operators work and nowhere else.</summary>
[Collection(GatewayCollection.Name)]
public sealed class AdminSessionTests(StandInCluster cluster) : IAsyncLifetime
{
    private TestGateway _gateway = null!;

    public async ValueTask InitializeAsync() => _gateway = await TestGateway.Start(cluster.Client);

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Session_OfAnOperator_IsACookieThatNoScriptSeesAndNoOtherSiteSends()
    {
        using var response = await Begin(_gateway.Tokens.Admin(user: "ada", lifetime: TimeSpan.FromHours(2)));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var attributes = SetCookie(response).Split("; ");
        Assert.StartsWith("silo-admin=ey", attributes[0], StringComparison.Ordinal);
        Assert.Equal(["path=/", "samesite=strict", "httponly"], attributes[2..]);
        var expires = DateTimeOffset.Parse(attributes[1]["expires=".Length..], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(expires - TimeProvider.System.GetUtcNow(), TimeSpan.FromMinutes(119), TimeSpan.FromMinutes(120));
        var session = await response.Json();
        Assert.Equal("ada", session.GetProperty("user").GetString());
        Assert.InRange(session.GetProperty("expiresInSeconds").GetDouble(), 7_100, 7_200);
        Assert.True(response.Headers.CacheControl?.NoStore);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.0.0.2", false)] // of another proxy: nobody is believed
    public async Task Session_BehindAProxyThatTerminatesTls_IsSecure(string trusted, bool secure)
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Gateway:TrustedProxies:0", trusted));
        using var response = await gateway.Send(HttpMethod.Post, "/admin/session", gateway.Tokens.Admin(), configure: request =>
        {
            request.Headers.Add("X-Forwarded-For", "127.0.0.77");
            request.Headers.Add("X-Forwarded-Proto", "https");
        });
        Assert.Equal(secure, SetCookie(response).Contains("; secure", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Session_OfAMember_IsForbidden()
    {
        using var response = await Begin(_gateway.Member("demo"));
        await response.Problem(403, "forbidden");
        Assert.False(response.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task Session_WithoutAGoodToken_IsRefused()
    {
        var noOperator = _gateway.Tokens.Admin()[..^4] + "AAAA";
        foreach (var token in new[] { null, "garbage", noOperator, _gateway.Tokens.Admin(lifetime: TimeSpan.FromMinutes(-5)) })
        {
            using var response = await Begin(token);
            await response.Problem(401, "unauthenticated");
            Assert.False(response.Headers.Contains("Set-Cookie"));
        }
    }

    [Fact]
    public async Task Session_WithATokenInItsLastAllowance_IsRefused()
    {
        // Good for other calls, by Auth:ClockSkew; the browser would drop the cookie as it comes.
        using var response = await Begin(_gateway.Tokens.Admin(lifetime: TimeSpan.FromSeconds(-5)));
        await response.Problem(401, "unauthenticated");
    }

    [Fact]
    public async Task Session_WithATokenTooLongForACookie_SaysSo()
    {
        using var response = await Begin(_gateway.Tokens.Admin(user: new string('u', 4_000)));
        await response.Problem(400, "invalid_request");
    }

    [Fact]
    public async Task Session_FromItsOwnCookie_IsNotProlonged()
    {
        using var response = await WithCookie(HttpMethod.Post, "/admin/session", _gateway.Tokens.Admin(), header: true);
        await response.Problem(401, "unauthenticated");
    }

    [Fact]
    public async Task Session_Ended_TakesTheCookieBack()
    {
        using var response = await _gateway.Send(HttpMethod.Delete, "/admin/session");
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.StartsWith("silo-admin=; expires=Thu, 01 Jan 1970", SetCookie(response), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/api/admin/databases", true, 200)]
    [InlineData("GET", "/api/admin/databases", false, 401)]
    [InlineData("POST", "/api/admin/databases/acme/deactivate", false, 401)]
    [InlineData("POST", "/api/admin/organizations", false, 401)]
    [InlineData("GET", "/API/Admin/databases", false, 401)]
    [InlineData("GET", "/api/contacts", true, 401)]
    [InlineData("POST", "/api/contacts", true, 401)]
    [InlineData("GET", "/api/audit", true, 401)]
    [InlineData("GET", "/api/adminx", true, 404)]
    [InlineData("GET", "/admin", false, 200)]
    public async Task Cookie_Counts_OnlyWhereOperatorsWork(string method, string path, bool header, int status)
    {
        for (var attempt = 0; attempt < 2; attempt++) // the second is answered from memory
        {
            using var response = await WithCookie(HttpMethod.Parse(method), path, _gateway.Tokens.Admin("demo"), header);
            Assert.Equal(status, (int)response.StatusCode);
        }
    }

    [Theory]
    [InlineData("0")]
    [InlineData("")]
    [InlineData("true")]
    public async Task Cookie_WithAnotherHeader_DoesNotCount(string value)
    {
        using var response = await _gateway.Send(HttpMethod.Get, "/api/admin/databases", configure: request =>
        {
            request.Headers.Add("Cookie", $"silo-admin={_gateway.Tokens.Admin()}");
            request.Headers.TryAddWithoutValidation("Silo-Admin", value);
        });
        await response.Problem(401, "unauthenticated");
    }

    [Fact]
    public async Task Cookie_OfABadToken_IsRefusedAndShowsTheShellAlone()
    {
        var stranger = new Silo.Gateway.Authentication.DevelopmentTokens(Silo.Gateway.Authentication.DevelopmentTokens.NewSigningKey(), TimeProvider.System);
        foreach (var token in new[] { stranger.Admin(), _gateway.Tokens.Admin(lifetime: TimeSpan.FromHours(-1)), "garbage", new string('a', 20_000) })
        {
            using var response = await WithCookie(HttpMethod.Get, "/api/admin/databases", token, header: true);
            await response.Problem(401, "unauthenticated");
            using var page = await WithCookie(HttpMethod.Get, "/admin", token);
            Assert.Contains("data-expires-in=\"0\"", await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Cookie_OfAMember_IsForbidden()
    {
        foreach (var path in new[] { "/api/admin/databases", "/admin/export/acme" })
        {
            using var response = await WithCookie(HttpMethod.Get, path, _gateway.Member("demo"), header: true);
            await response.Problem(403, "forbidden");
        }
    }

    [Fact]
    public async Task Cookie_BesideAHeader_IsNotLookedAt()
    {
        using var response = await _gateway.Send(HttpMethod.Get, "/api/admin/databases", _gateway.Member("demo"), configure: request =>
        {
            request.Headers.Add("Cookie", $"silo-admin={_gateway.Tokens.Admin()}");
            request.Headers.Add("Silo-Admin", "1");
        });
        await response.Problem(403, "forbidden");
    }

    [Fact]
    public async Task Authorization_NeedsItsScheme_WhateverACookieHasBrought()
    {
        var token = _gateway.Tokens.Admin();
        using (var warm = await WithCookie(HttpMethod.Get, "/api/admin/databases", token, header: true)) Assert.Equal(HttpStatusCode.OK, warm.StatusCode);
        using var response = await _gateway.Send(HttpMethod.Get, "/api/admin/databases", configure: request => request.Headers.TryAddWithoutValidation("Authorization", token));
        await response.Problem(401, "unauthenticated");
    }

    [Fact]
    public async Task Export_ByCookie_IsTheFile()
    {
        cluster.StandIns.Organizations["acme"] = new Organization { Id = OrganizationId.Parse("acme"), Name = "Acme", DbType = OrganizationDbType.Sqlite };
        cluster.StandIns.Files["acme"] = [1, 2, 3];
        using var response = await WithCookie(HttpMethod.Get, "/admin/export/acme", _gateway.Tokens.Admin());
        Assert.Equal([1, 2, 3], await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        Assert.Equal("acme.db", response.Content.Headers.ContentDisposition?.FileName);
        using var nobody = await _gateway.Get("/admin/export/acme");
        await nobody.Problem(401, "unauthenticated");
    }

    private Task<HttpResponseMessage> Begin(string? token) => _gateway.Send(HttpMethod.Post, "/admin/session", token);

    private Task<HttpResponseMessage> WithCookie(HttpMethod method, string path, string token, bool header = false) => _gateway.Send(method, path, configure: request =>
    {
        request.Headers.Add("Cookie", $"silo-admin={token}");
        if (header) request.Headers.Add("Silo-Admin", "1");
    });

    private static string SetCookie(HttpResponseMessage response) => response.Headers.GetValues("Set-Cookie").Single();
}
