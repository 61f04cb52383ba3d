using System.Text.Json;
using System.Text.Json.Serialization;

namespace Silo.Storage.Contacts;

/// <summary>The file <c>config/legacy-contacts.json</c>: under which names the older system's table has a contact's fields.</summary>
internal sealed class LegacyContactNames
{
    /// <summary>Stands for the organization's id in <see cref="Required"/>.</summary>
    public const string OrganizationMark = "{organization}";

    private const string Resource = "Silo.Storage.Contacts.legacy-contacts.json";

    private static readonly Lazy<LegacyContactNames> Compiled = new(() =>
    {
        using var file = typeof(LegacyContactNames).Assembly.GetManifestResourceStream(Resource)!;
        return Parse(file);
    });

    /// <summary>The table that this build has.</summary>
    public static LegacyContactNames Current => Compiled.Value;

    /// <summary>Field (as <see cref="ContactTable"/> names it) to the columns that may hold it, the likeliest first.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Fields { get; init; }

    /// <summary>Column to what a new contact gets there if it must have a value.</summary>
    public required IReadOnlyDictionary<string, string> Required { get; init; }

    /// <summary>Reads such a file.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static LegacyContactNames Parse(Stream file)
    {
        var names = JsonSerializer.Deserialize(file, LegacyContactNamesJson.Default.LegacyContactNames) ?? throw new JsonException("The file is empty.");
        if (!names.Fields.Keys.Order(StringComparer.Ordinal).SequenceEqual(ContactTable.Fields.Order(StringComparer.Ordinal)))
            throw new JsonException($"'fields' must have exactly these: {string.Join(", ", ContactTable.Fields)}.");
        return names;
    }

    /// <summary>The column of a table that holds a field; null when it has none.</summary>
    public string? ColumnOf(string field, IReadOnlySet<string> columns) => Fields[field].FirstOrDefault(columns.Contains);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(LegacyContactNames))]
internal sealed partial class LegacyContactNamesJson : JsonSerializerContext;
