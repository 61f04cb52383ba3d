using Silo.Contracts;

namespace Silo.Gateway.Contacts;

/// <summary>The header <c>Silo-Durability</c>: what a request asks for, and how far its write has come.</summary>
internal static class DurabilityHeader
{
    public const string Name = "Silo-Durability";

    /// <summary>Null when nothing is asked for: the organization's own default holds.</summary>
    public static Durability? Parse(string? text) => text switch
    {
        null or "" => null,
        "local" => Durability.Local,
        "replicated" => Durability.Replicated,
        _ => throw new OrganizationException(OrganizationErrorCode.InvalidRequest, $"The header {Name} is 'local' or 'replicated'."),
    };

    public static void Write(HttpResponse response, Durability achieved) =>
        response.Headers[Name] = achieved == Durability.Replicated ? "replicated" : "local";
}
