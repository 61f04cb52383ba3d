using System.Buffers.Text;
using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Gateway.Authentication;

/// <summary>Whose tokens are good (section <c>Auth</c>): an OIDC authority's, or those made with a shared key.</summary>
public sealed class AuthOptions : IValidatableObject
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Auth";

    /// <summary>Fewest bytes of a signing key: HMAC-SHA-256 is as strong as its key up to here (RFC 7518, 3.2).</summary>
    public const int MinKeyBytes = 32;

    /// <summary>Address of the OIDC authority; https, or http on this machine.</summary>
    public string? Authority { get; set; }

    /// <summary>The audience that a token must name; required with <see cref="Authority"/>.</summary>
    public string? Audience { get; set; }

    /// <summary>The issuer that a token must name; with an authority it is the one that its discovery document says.</summary>
    public string? Issuer { get; set; }

    /// <summary>Base64 of at least 32 bytes: development and tests sign with HS256.</summary>
    public string? SigningKey { get; set; }

    /// <summary>How far the clocks of the issuer and of this machine may be apart.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a token that was found good is believed without looking again, never past its own end. A key that the
    /// authority withdraws goes on working here for at most this long.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan CacheTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many tokens are remembered; 0 for none.</summary>
    [Range(0, 1_000_000)]
    public int CachedTokens { get; set; } = 10_000;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (string.IsNullOrEmpty(Authority) && string.IsNullOrEmpty(SigningKey))
        {
            yield return new("Nobody could sign in: set Auth:Authority and Auth:Audience (OIDC), or Auth:SigningKey "
                + "(base64 of 32 bytes or more, for development; environment variable Auth__SigningKey).");
        }
        else if (!string.IsNullOrEmpty(Authority))
        {
            if (!string.IsNullOrEmpty(SigningKey)) yield return new("Set Auth:Authority or Auth:SigningKey, not both.");
            if (string.IsNullOrEmpty(Audience)) yield return new("Auth:Authority needs Auth:Audience: a token for another service must not work here.");
            if (!Uri.TryCreate(Authority, UriKind.Absolute, out var authority)
                || !(authority.Scheme == Uri.UriSchemeHttps || (authority.Scheme == Uri.UriSchemeHttp && authority.IsLoopback)))
            {
                yield return new("Auth:Authority must be an https address.");
            }
        }
        else if (!Base64.IsValid(SigningKey, out var length) || length < MinKeyBytes)
        {
            yield return new("Auth:SigningKey must be base64 of 32 bytes or more.");
        }
    }
}

[OptionsValidator]
internal sealed partial class AuthOptionsValidator : IValidateOptions<AuthOptions>;
