using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Silo.Gateway;
using Silo.Gateway.Authentication;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class BearerTokensTests(StandInCluster cluster)
{
    private const string Contacts = "/api/contacts";

    public static TheoryData<string> BadTokens =>
        ["none", "tampered", "otherKey", "expired", "notYet", "noExpiry", "rs256", "hs512", "unsigned", "garbage", "empty", "huge"];

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task Call_WithABadToken_IsUnauthenticated(string kind)
    {
        await using var gateway = await TestGateway.Start(cluster.Client);
        var token = Bad(kind, gateway);
        for (var attempt = 0; attempt < 2; attempt++) // what was refused once is not remembered as good
        {
            using var response = await gateway.Send(HttpMethod.Get, Contacts, configure: request =>
            {
                if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
            });
            await response.Problem(401, "unauthenticated");
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
        }
    }

    [Theory]
    [InlineData("Basic ZGVtbzpkZW1v")]
    [InlineData("Token {0}")]
    [InlineData("{0}")]
    [InlineData("Bearer")]
    [InlineData("Bearer {0} x")]
    [InlineData("Bearer {0},Bearer {0}")]
    public async Task Call_WithAnotherScheme_IsUnauthenticated(string header)
    {
        await using var gateway = await TestGateway.Start(cluster.Client);
        using var response = await gateway.Send(HttpMethod.Get, Contacts, configure: request => request.Headers.TryAddWithoutValidation(
            "Authorization", header.Replace("{0}", gateway.Member("demo"), StringComparison.Ordinal)));
        await response.Problem(401, "unauthenticated");
    }

    [Fact]
    public async Task Call_WithTwoAuthorizationHeaders_IsUnauthenticated()
    {
        await using var gateway = await TestGateway.Start(cluster.Client);
        var (mine, other) = (gateway.Member("mine"), gateway.Member("other"));
        using (var warm = await gateway.Get(Contacts, mine)) Assert.Equal(HttpStatusCode.OK, warm.StatusCode);
        var answer = await gateway.SendRaw(
            $"GET {Contacts} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mine}\r\nAuthorization: Bearer {other}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/contacts", "member", 200)]
    [InlineData("/api/contacts", "admin", 200)]
    [InlineData("/api/contacts", "owner", 403)]
    [InlineData("/api/contacts", null, 403)]
    [InlineData("/api/admin/organizations", "admin", 200)]
    [InlineData("/api/admin/organizations", "member", 403)]
    [InlineData("/api/admin/databases", "member", 403)]
    [InlineData("/api/admin/databases", null, 403)]
    public async Task Call_NeedsItsRole(string path, string? role, int status)
    {
        await using var gateway = await TestGateway.Start(cluster.Client);
        var token = gateway.Tokens.Create("user", "demo", role, TimeSpan.FromMinutes(1));
        for (var attempt = 0; attempt < 2; attempt++) // the second is answered from memory
        {
            using var response = await gateway.Get(path, token);
            if (status == 403) await response.Problem(403, "forbidden");
            else Assert.Equal(status, (int)response.StatusCode);
        }
    }

    [Theory]
    [InlineData(null, 403, "forbidden")]
    [InlineData("", 400, "invalid_organization_id")]
    [InlineData("../other", 400, "invalid_organization_id")]
    [InlineData("Demo", 400, "invalid_organization_id")]
    [InlineData("demo\n", 400, "invalid_organization_id")]
    public async Task Call_NeedsAnOrganization(string? organization, int status, string code)
    {
        await using var gateway = await TestGateway.Start(cluster.Client);
        using var response = await gateway.Get(Contacts, gateway.Tokens.Create("user", organization, "member", TimeSpan.FromMinutes(1)));
        await response.Problem(status, code);
    }

    [Theory]
    [InlineData(null, null, 401)]
    [InlineData("silo", null, 401)]
    [InlineData("silo", "issuer", 200)]
    [InlineData("another", "issuer", 401)]
    public async Task SigningKey_WithAudienceAndIssuer_ChecksBoth(string? audience, string? issuer, int status)
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Auth:Audience", "silo"), ("Auth:Issuer", "issuer"));
        var credentials = new SigningCredentials(new SymmetricSecurityKey(Convert.FromBase64String(gateway.SigningKey)), SecurityAlgorithms.HmacSha256);
        using var response = await gateway.Get(Contacts, Token(credentials, audience, issuer));
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task Authority_SignsWithItsPublishedKeyOnly()
    {
        using var rsa = RSA.Create(2048);
        await using var authority = await StartAuthority(rsa);
        var issuer = ListeningAddress.Of(authority);
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Auth:Authority", issuer), ("Auth:Audience", "silo"));

        using var good = await gateway.Get(Contacts, Token(Credentials(rsa), "silo", issuer));
        Assert.Equal(HttpStatusCode.OK, good.StatusCode);
        using var otherAudience = await gateway.Get(Contacts, Token(Credentials(rsa), "another", issuer));
        await otherAudience.Problem(401, "unauthenticated");
        using var otherIssuer = await gateway.Get(Contacts, Token(Credentials(rsa), "silo", "https://issuer.example"));
        await otherIssuer.Problem(401, "unauthenticated");
        using var stranger = RSA.Create(2048);
        using var otherKey = await gateway.Get(Contacts, Token(Credentials(stranger), "silo", issuer));
        await otherKey.Problem(401, "unauthenticated");

        // The public key taken for a shared secret: the classic confusion of algorithms.
        var confused = new SigningCredentials(new SymmetricSecurityKey(rsa.ExportSubjectPublicKeyInfo()) { KeyId = "1" }, SecurityAlgorithms.HmacSha256);
        using var asSecret = await gateway.Get(Contacts, Token(confused, "silo", issuer));
        await asSecret.Problem(401, "unauthenticated");
    }

    [Theory]
    [InlineData("Auth:SigningKey", "", "Auth:SigningKey")]
    [InlineData("Auth:SigningKey", "c2hvcnQ=", "32 bytes")]
    [InlineData("Auth:SigningKey", "not base64!", "32 bytes")]
    [InlineData("Auth:Authority", "https://issuer.example", "Auth:Audience")]
    [InlineData("Auth:Authority", "http://issuer.example", "https")]
    [InlineData("Auth:Authority", "issuer", "https")]
    [InlineData("Gateway:MaxContactBytes", "0", "MaxContactBytes")]
    public async Task Start_WithoutWhatItNeeds_SaysWhatIsMissing(string key, string value, string said)
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => TestGateway.Start(cluster.Client, null, (key, value)));
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
    }

    private static string? Bad(string kind, TestGateway gateway)
    {
        var good = gateway.Member("demo");
        var parts = good.Split('.');
        var key = new SymmetricSecurityKey(Convert.FromBase64String(gateway.SigningKey));
        switch (kind)
        {
            case "none": return null;
            case "tampered":
                var claims = Encoding.UTF8.GetString(Base64UrlEncoder.DecodeBytes(parts[1])).Replace("demo", "evil", StringComparison.Ordinal);
                return $"{parts[0]}.{Base64UrlEncoder.Encode(claims)}.{parts[2]}";
            case "otherKey": return new DevelopmentTokens(DevelopmentTokens.NewSigningKey(), TimeProvider.System).Member("demo");
            case "expired": return gateway.Tokens.Member("demo", lifetime: TimeSpan.FromHours(-1));
            case "notYet": return Token(new(key, SecurityAlgorithms.HmacSha256), null, null, notBefore: TimeSpan.FromHours(1));
            case "noExpiry": return Token(new(key, SecurityAlgorithms.HmacSha256), null, null, expires: false);
            case "hs512": return Token(new(new SymmetricSecurityKey([.. key.Key, .. key.Key]), SecurityAlgorithms.HmacSha512), null, null);
            case "rs256":
                using (var rsa = RSA.Create(2048)) return Token(Credentials(rsa), null, null);
            case "unsigned": return $"{Base64UrlEncoder.Encode("""{"alg":"none","typ":"JWT"}""")}.{parts[1]}.";
            case "garbage": return "a.b.c";
            case "empty": return "";
            case "huge": return new string('a', 20_000);
            default: throw new ArgumentOutOfRangeException(nameof(kind));
        }
    }

    private static SigningCredentials Credentials(RSA rsa) => new(new RsaSecurityKey(rsa.ExportParameters(true)) { KeyId = "1" }, SecurityAlgorithms.RsaSha256);

    private static string Token(SigningCredentials credentials, string? audience, string? issuer, TimeSpan notBefore = default, bool expires = true)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Claims = new Dictionary<string, object> { ["sub"] = "user", ["org"] = "demo", ["role"] = "member" },
            Audience = audience,
            Issuer = issuer,
            NotBefore = now + notBefore,
            Expires = expires ? now + notBefore + TimeSpan.FromMinutes(10) : null,
            SigningCredentials = credentials,
        });
    }

    // An authority as far as a gateway talks to one: its discovery document and its keys.
    private static async Task<WebApplication> StartAuthority(RSA rsa)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var key = rsa.ExportParameters(false);
        var keys = new[] { new { kty = "RSA", kid = "1", use = "sig", n = Base64UrlEncoder.Encode(key.Modulus), e = Base64UrlEncoder.Encode(key.Exponent) } };
        app.MapGet("/.well-known/openid-configuration", () =>
            JsonSerializer.Serialize(new { issuer = ListeningAddress.Of(app), jwks_uri = ListeningAddress.Of(app) + "/keys" }));
        app.MapGet("/keys", () => JsonSerializer.Serialize(new { keys }));
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }
}
