using System.Globalization;
using System.Security.Claims;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Gateway.Clustering;

namespace Silo.Gateway.Authentication;

/// <summary>Who is calling, as a good token says. Made once per token and shared by its requests.</summary>
public sealed class Caller : ClaimsPrincipal
{
    private readonly string? _organization;
    private readonly bool _wellFormed;
    private readonly OrganizationId _id;

    // Two requests may both find it null and both fill it: they fill in the same reference.
    private IOrgDatabaseGrain? _database;

    /// <summary>Reads the claims <c>sub</c>, <c>org</c>, <c>role</c> and <c>exp</c>.</summary>
    public Caller(ClaimsPrincipal token) : base(token)
    {
        ArgumentNullException.ThrowIfNull(token);
        User = token.FindFirst("sub")?.Value;
        _organization = token.FindFirst("org")?.Value;
        _wellFormed = OrganizationId.TryParse(_organization, out _id);
        IsAdmin = token.HasClaim("role", "admin");
        IsMember = IsAdmin || token.HasClaim("role", "member");
        if (long.TryParse(token.FindFirst("exp")?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            Expires = DateTimeOffset.FromUnixTimeSeconds(Math.Min(seconds, DateTimeOffset.MaxValue.ToUnixTimeSeconds()));
    }

    /// <summary>The user (<c>sub</c>).</summary>
    public string? User { get; }

    /// <summary>The end of the token.</summary>
    public DateTimeOffset Expires { get; }

    /// <summary>May call everything under <c>/api/admin</c>.</summary>
    public bool IsAdmin { get; }

    /// <summary>May call what belongs to the token's own organization; an admin may as well.</summary>
    public bool IsMember { get; }

    /// <summary>The organization that the token is for, if it names a well-formed one.</summary>
    public OrganizationId? OrganizationIfAny => _wellFormed ? _id : null;

    /// <summary>The organization that the token is for.</summary>
    /// <exception cref="OrganizationException">The token names none, or what it names is not an id.</exception>
    public OrganizationId Organization
    {
        get
        {
            if (_wellFormed) return _id;
            throw _organization is null
                ? new OrganizationException(OrganizationErrorCode.Forbidden, "The token names no organization (claim 'org').")
                : OrganizationException.InvalidId();
        }
    }

    /// <summary>The caller of a request that has passed a policy of <see cref="CallerPolicies"/>.</summary>
    public static Caller Of(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.User as Caller ?? throw new InvalidOperationException("This call is open to callers without a token.");
    }

    /// <summary>The database of the caller's organization.</summary>
    internal IOrgDatabaseGrain Database(SiloGrains grains) =>
        _database ??= grains.Database(Organization);
}
