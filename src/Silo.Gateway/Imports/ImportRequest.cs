using System.Globalization;
using Microsoft.Net.Http.Headers;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;
using Silo.Storage.Imports;

namespace Silo.Gateway.Imports;

/// <summary>What a request for a bulk import asks for, beside its body.</summary>
/// <param name="Id">Its <c>Idempotency-Key</c>, or a new UUIDv7.</param>
/// <param name="Format">What the body is written in.</param>
/// <param name="Charset">The charset that it names; null when it names none.</param>
/// <param name="IsGzip">Whether the body is compressed.</param>
/// <param name="Options">How it is to be taken in.</param>
/// <param name="Wait">For how long the answer may wait for the end (RFC 7240, section 4.3).</param>
internal sealed record ImportRequest(string Id, ImportFormat Format, string? Charset, bool IsGzip, ImportOptions Options, TimeSpan Wait)
{
    private const string KeyHeader = "Idempotency-Key";

    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/>, <see cref="OrganizationErrorCode.UnsupportedMediaType"/>, <see cref="OrganizationErrorCode.ValidationFailed"/>.</exception>
    public static ImportRequest Parse(HttpRequest request)
    {
        var (format, charset) = ParseType(request.ContentType);
        var agent = request.Query["agentId"].ToString() is { Length: > 0 } id ? id : null;
        if (agent?.Length > ContactRules.MaxAgentId || agent?.Contains('\0', StringComparison.Ordinal) == true)
            throw Invalid($"'agentId' has at most {ContactRules.MaxAgentId} characters.");
        return new ImportRequest(
            request.Headers[KeyHeader].ToString() is { Length: > 0 } key ? ParseKey(key) : Guid.CreateVersion7().ToString(),
            format, charset, ParseEncoding(request.Headers.ContentEncoding.ToString()),
            new ImportOptions(ParseFlag(request, "overwriteExisting"), ParseFlag(request, "strict"), agent),
            ParseWait(request.Headers["Prefer"]));
    }

    /// <summary>The id of an import as it stands in a path.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ImportNotFound"/>: it is the id of none.</exception>
    public static string ParseId(string text) =>
        Guid.TryParseExact(text, "D", out var id) ? id.ToString() : throw new OrganizationException(OrganizationErrorCode.ImportNotFound, "The organization has no import of this id.");

    private static string ParseKey(string text) =>
        Guid.TryParseExact(text.Trim('"'), "D", out var key) ? key.ToString() : throw Invalid($"The header {KeyHeader} is a UUID.");

    private static (ImportFormat Format, string? Charset) ParseType(string? text)
    {
        if (!MediaTypeHeaderValue.TryParse(text, out var type)) throw Unsupported();
        ImportFormat format = type.MediaType.Value?.ToLowerInvariant() switch
        {
            "application/json" => ImportFormat.Json,
            "application/x-ndjson" or "application/ndjson" or "application/jsonl" => ImportFormat.NdJson,
            "text/csv" => ImportFormat.Csv,
            _ => throw Unsupported(),
        };
        var charset = HeaderUtilities.RemoveQuotes(type.Charset).Value is { Length: > 0 } name ? name : null;
        if (charset is not null && !FileText.IsKnown(charset)) throw new OrganizationException(OrganizationErrorCode.UnsupportedMediaType, $"The charset '{charset}' is not known here; send UTF-8.");
        return (format, charset);
    }

    private static bool ParseEncoding(string text) => text.ToLowerInvariant() switch
    {
        "" or "identity" => false,
        "gzip" or "x-gzip" => true,
        _ => throw new OrganizationException(OrganizationErrorCode.UnsupportedMediaType, "The Content-Encoding is gzip, or there is none."),
    };

    private static bool ParseFlag(HttpRequest request, string name) => request.Query[name].ToString() switch
    {
        "" or "false" => false,
        "true" => true,
        _ => throw Invalid($"'{name}' is true or false."),
    };

    private static TimeSpan ParseWait(IEnumerable<string?> headers)
    {
        // A preference that cannot be read is passed over (RFC 7240, section 2).
        foreach (var preference in headers.SelectMany(header => (header ?? "").Split(',', StringSplitOptions.TrimEntries)))
        {
            if (!preference.StartsWith("wait=", StringComparison.OrdinalIgnoreCase) || !int.TryParse(preference.AsSpan("wait=".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)) continue;
            var wait = TimeSpan.FromSeconds(seconds);
            return wait < OrgDatabaseTimeouts.MaxImportWait ? wait : OrgDatabaseTimeouts.MaxImportWait;
        }
        return TimeSpan.Zero;
    }

    private static OrganizationException Invalid(string message) => new(OrganizationErrorCode.InvalidRequest, message);

    private static OrganizationException Unsupported() => new(OrganizationErrorCode.UnsupportedMediaType, "The body is application/json (an array), application/x-ndjson or text/csv.");
}
