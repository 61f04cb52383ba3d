using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;
using Silo.Storage.Turso;

namespace Silo.Storage.Catalog;

/// <summary>What a new organization must be like.</summary>
internal static class NewOrganizationRules
{
    /// <summary>Longest name, in UTF-16 code units.</summary>
    public const int MaxName = 200;

    /// <summary>Longest libSQL address.</summary>
    public const int MaxTursoUrl = 2000;

    /// <summary>Refuses one that is not like that.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ValidationFailed"/>, with every field that is wrong.</exception>
    public static void Check(NewOrganization organization)
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (NameError(organization.Name) is { } name) errors["name"] = [name];
        if (TursoUrlError(organization.DbType, organization.TursoUrl) is { } url) errors["tursoUrl"] = [url];
        if (TursoSecretError(organization.DbType, organization.TursoSecret) is { } secret) errors["tursoSecret"] = [secret];
        if (!Enum.IsDefined(organization.DbType)) errors["dbType"] = ["Either turso or sqlite."];
        if (organization.Durability is { } durability && !Enum.IsDefined(durability)) errors["durability"] = ["Either local or replicated."];
        if (errors.Count > 0)
            throw new OrganizationException(OrganizationErrorCode.ValidationFailed, "The organization has fields that break their rules.") { Errors = errors };
    }

    private static string? NameError(string? name)
    {
        if (string.IsNullOrWhiteSpace(name)) return "A name is required.";
        if (name.Length > MaxName) return $"At most {MaxName} characters; this has {name.Length}.";
        // SQLite ends a text at NUL in many places, and half of a pair has no UTF-8 form.
        return name.Contains('\0') || HasLoneSurrogate(name) ? ContactRules.NotStorable : null;
    }

    private static string? TursoUrlError(OrganizationDbType dbType, string? url)
    {
        if (dbType != OrganizationDbType.Turso) return url is null ? null : "Only an organization on Turso has one.";
        if (string.IsNullOrWhiteSpace(url)) return "Required for an organization on Turso.";
        if (url.Length > MaxTursoUrl) return $"At most {MaxTursoUrl} characters.";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https" or "libsql") || address.Host.Length == 0)
            return "An address that begins with libsql://, https:// or http://.";
        // Operators see this address; a token belongs into the silo's settings.
        return address.UserInfo.Length > 0 || address.Query.Length > 0 ? "Without user, password or token: Turso:AuthToken is the place for those." : null;
    }

    private static string? TursoSecretError(OrganizationDbType dbType, string? secret)
    {
        if (secret is null) return null;
        if (dbType != OrganizationDbType.Turso) return "Only an organization on Turso has one.";
        return TursoSecrets.IsName(secret) ? null : "The name of a file in Turso:SecretsDirectory: 1 to 128 letters, digits, '.', '_' and '-'.";
    }

    private static bool HasLoneSurrogate(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (!char.IsSurrogatePair(text, i)) return true;
            i++;
        }

        return false;
    }
}
