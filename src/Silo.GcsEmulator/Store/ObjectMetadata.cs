using System.Text.Json;

namespace Silo.GcsEmulator.Store;

/// <summary>The part of an object that its writer chooses and may patch.</summary>
internal sealed record ObjectMetadata
{
    public static readonly ObjectMetadata None = new();

    public string? ContentType { get; init; }
    public string? ContentEncoding { get; init; }
    public string? ContentDisposition { get; init; }
    public string? ContentLanguage { get; init; }
    public string? CacheControl { get; init; }
    public string? CustomTime { get; init; }
    public string? StorageClass { get; init; }
    public IReadOnlyDictionary<string, string>? Custom { get; init; }

    /// <summary>
    /// This metadata with what a JSON object resource says: a missing member keeps the value, null removes it, other members of the
    /// resource (<c>bucket</c>, <c>acl</c> and the like) are not ours to store.
    /// </summary>
    public ObjectMetadata With(JsonElement resource)
    {
        var result = this;
        foreach (var member in resource.EnumerateObject())
        {
            result = member.Name switch
            {
                "contentType" => result with { ContentType = Text(member) },
                "contentEncoding" => result with { ContentEncoding = Text(member) },
                "contentDisposition" => result with { ContentDisposition = Text(member) },
                "contentLanguage" => result with { ContentLanguage = Text(member) },
                "cacheControl" => result with { CacheControl = Text(member) },
                "customTime" => result with { CustomTime = Text(member) },
                "storageClass" => result with { StorageClass = Text(member) },
                "metadata" => result with { Custom = Merge(result.Custom, member.Value) },
                _ => result,
            };
        }
        return result;
    }

    private static string? Text(JsonProperty member) => member.Value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => member.Value.GetString(),
        _ => throw GcsRefusal.Invalid($"'{member.Name}' must be a string."),
    };

    private static Dictionary<string, string>? Merge(IReadOnlyDictionary<string, string>? old, JsonElement changes)
    {
        if (changes.ValueKind == JsonValueKind.Null) return null;
        if (changes.ValueKind != JsonValueKind.Object) throw GcsRefusal.Invalid("'metadata' must be an object.");
        var merged = old is null ? [] : new Dictionary<string, string>(old);
        foreach (var member in changes.EnumerateObject())
        {
            if (Text(member) is { } text) merged[member.Name] = text;
            else merged.Remove(member.Name);
        }
        return merged.Count == 0 ? null : merged;
    }
}
