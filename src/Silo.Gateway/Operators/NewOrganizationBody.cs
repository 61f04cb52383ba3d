using System.Text.Json.Serialization;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;

namespace Silo.Gateway.Operators;

/// <summary>The body of <c>POST /api/admin/organizations</c>.</summary>
/// <param name="Id">1 to 63 characters of a-z, 0-9, '_' and '-', first and last a letter or a digit.</param>
/// <param name="Name">For people, 1 to 200 characters.</param>
/// <param name="DbType">Where its rows live.</param>
/// <param name="TursoUrl">Its libSQL address: required for Turso, refused for SQLite.</param>
/// <param name="Durability">What its writes wait for unless a request says otherwise; the service's default if absent.</param>
/// <param name="TursoSecret">The name of the secret that its Turso database is reached with (<c>Turso:SecretsDirectory</c>); the token of all if absent.</param>
// A word that is spelt wrong must not be an operation that nobody asked for.
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record NewOrganizationBody(
    string? Id,
    string? Name,
    OrganizationDbType DbType = OrganizationDbType.Sqlite,
    string? TursoUrl = null,
    Durability? Durability = null,
    string? TursoSecret = null)
{
    private static readonly string[] TursoSchemes = ["libsql", "https", "wss", "http", "ws"];

    /// <summary>The organization that the body asks for.</summary>
    /// <exception cref="OrganizationException">The body breaks a rule.</exception>
    public NewOrganization Check()
    {
        var id = OrganizationId.Parse(Id);
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (string.IsNullOrWhiteSpace(Name)) errors["name"] = ["A name is required."];
        else if (Name.Length > ContactRules.MaxName) errors["name"] = [$"At most {ContactRules.MaxName} characters."];
        if (DbType == OrganizationDbType.Turso && !IsTursoUrl(TursoUrl))
        {
            errors["tursoUrl"] = ["The address of the Turso database is required: libsql://..., without user, password or query."];
        }
        if (DbType == OrganizationDbType.Sqlite && TursoUrl is not null) errors["tursoUrl"] = ["A SQLite organization has none."];
        return errors.Count == 0
            ? new NewOrganization(id, Name!, DbType, TursoUrl, Durability, TursoSecret)
            : throw new OrganizationException(OrganizationErrorCode.ValidationFailed, "The organization cannot be added as it is.") { Errors = errors };
    }

    // A token does not belong into the catalog: Turso:AuthToken has it.
    private static bool IsTursoUrl(string? text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && TursoSchemes.Contains(url.Scheme) && url is { UserInfo: "", Query: "", Host.Length: > 0 };
}
