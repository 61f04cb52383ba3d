using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Silo.Contracts;

/// <summary>
/// Names one organization (a tenant): 1 to 63 characters of <c>a-z 0-9 _ -</c>, first and last a letter or a digit.
/// Only text that went through <see cref="TryParse"/> ever becomes part of a grain key, a path or an object name.
/// </summary>
[GenerateSerializer, Immutable, Alias("silo.OrganizationId")]
[JsonConverter(typeof(OrganizationIdJsonConverter))]
public readonly record struct OrganizationId : IParsable<OrganizationId>
{
    /// <summary>The longest id, in characters.</summary>
    public const int MaxLength = 63;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-");

    [Id(0)]
    private readonly string? _value;

    private OrganizationId(string value) => _value = value;

    /// <summary>The id as text.</summary>
    /// <exception cref="InvalidOperationException">This is the default value, which names no organization.</exception>
    public string Value => _value ?? throw new InvalidOperationException("An OrganizationId was used before it was parsed.");

    /// <summary>Accepts exactly <c>^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out OrganizationId id)
    {
        id = default;
        if (text is not { Length: > 0 and <= MaxLength }) return false;
        if (text.AsSpan().ContainsAnyExcept(Allowed) || text[0] is '_' or '-' || text[^1] is '_' or '-') return false;
        id = new OrganizationId(text);
        return true;
    }

    /// <summary>Parses an id that is expected to be well formed.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidOrganizationId"/> when it is not.</exception>
    public static OrganizationId Parse(string? text) =>
        TryParse(text, out var id) ? id : throw OrganizationException.InvalidId();

    static OrganizationId IParsable<OrganizationId>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static bool IParsable<OrganizationId>.TryParse(string? s, IFormatProvider? provider, out OrganizationId result) => TryParse(s, out result);

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";

    /// <summary>An id in JSON is its text. Public, since generated serializers of other projects make one.</summary>
    public sealed class OrganizationIdJsonConverter : JsonConverter<OrganizationId>
    {
        /// <inheritdoc/>
        public override OrganizationId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && TryParse(reader.GetString(), out var id)
                ? id
                : throw new JsonException("Not an organization id.");

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, OrganizationId value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Value);
    }
}
