using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Silo.Gateway.Authentication;

/// <summary>Makes tokens for development and tests: what an authority would make, signed with <c>Auth:SigningKey</c>.</summary>
public sealed class DevelopmentTokens
{
    private readonly SigningCredentials _credentials;
    private readonly TimeProvider _time;

    /// <summary>Makes tokens with a key.</summary>
    /// <param name="signingKey">Base64 of at least 32 bytes.</param>
    /// <param name="time">Where the lifetime begins.</param>
    public DevelopmentTokens(string signingKey, TimeProvider time)
    {
        var key = Convert.FromBase64String(signingKey);
        if (key.Length < AuthOptions.MinKeyBytes) throw new ArgumentException("A signing key has 32 bytes or more.", nameof(signingKey));
        _credentials = new SigningCredentials(new SymmetricSecurityKey(key), SecurityAlgorithms.HmacSha256);
        _time = time;
    }

    /// <summary>A new random key, in base64.</summary>
    public static string NewSigningKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(AuthOptions.MinKeyBytes));

    /// <summary>A token of a member of an organization.</summary>
    public string Member(string organization, string user = "developer", TimeSpan? lifetime = null) =>
        Create(user, organization, "member", lifetime ?? TimeSpan.FromDays(1));

    /// <summary>A token of an operator, who also has an organization of their own if one is named.</summary>
    public string Admin(string? organization = null, string user = "operator", TimeSpan? lifetime = null) =>
        Create(user, organization, "admin", lifetime ?? TimeSpan.FromDays(1));

    /// <summary>A token.</summary>
    /// <param name="user">Claim <c>sub</c>.</param>
    /// <param name="organization">Claim <c>org</c>; null for none.</param>
    /// <param name="role">Claim <c>role</c>; null for none.</param>
    /// <param name="lifetime">From now; negative for a token that has expired.</param>
    public string Create(string user, string? organization, string? role, TimeSpan lifetime)
    {
        var claims = new Dictionary<string, object> { ["sub"] = user };
        if (organization is not null) claims["org"] = organization;
        if (role is not null) claims["role"] = role;
        var now = _time.GetUtcNow().UtcDateTime;
        var begin = lifetime < TimeSpan.Zero ? now + (2 * lifetime) : now;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Claims = claims,
            IssuedAt = begin,
            NotBefore = begin,
            Expires = now + lifetime,
            SigningCredentials = _credentials,
        });
    }
}
