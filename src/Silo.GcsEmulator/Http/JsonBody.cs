using System.Text.Json;
using System.Text.Unicode;

namespace Silo.GcsEmulator.Http;

/// <summary>Reads the small JSON documents that requests carry.</summary>
internal static class JsonBody
{
    /// <summary>Object metadata is far smaller.</summary>
    private const int MaxBytes = 256 * 1024;

    /// <summary>The object that the body is; an empty body is an empty one.</summary>
    public static async Task<JsonElement> ReadAsync(Stream source, CancellationToken cancellationToken)
    {
        var body = await ReadBytesAsync(source, cancellationToken);
        try
        {
            RequireText(body);
            using var document = JsonDocument.Parse(body.Length == 0 ? "{}"u8.ToArray() : body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw GcsRefusal.Invalid("The resource must be a JSON object.");
        }
        catch (JsonException malformed)
        {
            throw new GcsRefusal(400, "parseError", "InvalidArgument", $"Parse Error: {malformed.Message}");
        }
    }

    /// <summary>The parser takes strings that are no Unicode, and fails only when they are read.</summary>
    private static void RequireText(byte[] body)
    {
        if (!Utf8.IsValid(body)) throw GcsRefusal.Invalid("The JSON body is not UTF-8.");
        if (body.AsSpan().IndexOf("\\u"u8) < 0) return;
        var reader = new Utf8JsonReader(body);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName) reader.GetString();
            }
        }
        catch (InvalidOperationException)
        {
            throw GcsRefusal.Invalid("The JSON body has an escape that is no character.");
        }
    }

    /// <summary>The whole body, as long as it is of a sane size.</summary>
    public static async Task<byte[]> ReadBytesAsync(Stream source, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var buffer = new byte[1024];
        try
        {
            int read;
            while ((read = await source.ReadAsync(buffer, cancellationToken)) > 0)
            {
                if (body.Length + read > MaxBytes) throw new GcsRefusal(413, "uploadTooLarge", "EntityTooLarge", "The JSON body is too large.");
                body.Write(buffer, 0, read);
            }
        }
        catch (Exception malformed) when (malformed is (IOException and not BadHttpRequestException) or InvalidDataException)
        {
            throw GcsRefusal.Invalid($"The JSON body cannot be read: {malformed.Message}");
        }
        return body.ToArray();
    }

    /// <summary>A string member, when it is there.</summary>
    public static string? Text(JsonElement resource, string member) =>
        resource.ValueKind == JsonValueKind.Object && resource.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
