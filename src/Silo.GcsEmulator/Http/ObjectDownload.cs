using System.Globalization;
using Microsoft.Net.Http.Headers;
using Microsoft.Win32.SafeHandles;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Http;

/// <summary>Sends an object's bytes, the same ones whatever encoding the client would accept.</summary>
internal static class ObjectDownload
{
    private const int BlockBytes = 64 * 1024;

    public static async Task AnswerAsync(
        HttpContext context, StoredObject item, SafeFileHandle content, bool isXml, RequestCounters counters)
    {
        WriteHeaders(context.Response.Headers, item, isXml);
        var range = ByteRange.Parse(context.Request.Headers.Range, item.Size);
        var part = range ?? new ByteRange(0, item.Size);
        if (range is not null)
        {
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {part.First}-{part.First + part.Length - 1}/{item.Size}";
        }
        context.Response.ContentLength = part.Length;
        if (HttpMethods.IsHead(context.Request.Method)) return;
        await SendAsync(context, content, part);
        counters.Sent(part.Length);
    }

    private static async Task SendAsync(HttpContext context, SafeFileHandle content, ByteRange part)
    {
        var body = context.Response.BodyWriter;
        for (long sent = 0; sent < part.Length;)
        {
            var wanted = (int)Math.Min(BlockBytes, part.Length - sent);
            var read = RandomAccess.Read(content, body.GetSpan(wanted)[..wanted], part.First + sent);
            if (read == 0) throw new EndOfStreamException("A content file is shorter than its object.");
            body.Advance(read);
            sent += read;
            var flushed = await body.FlushAsync(context.RequestAborted);
            if (flushed.IsCompleted) return; // the client went away
        }
    }

    private static void WriteHeaders(IHeaderDictionary headers, StoredObject item, bool isXml)
    {
        var metadata = item.Metadata;
        headers.AcceptRanges = "bytes";
        headers.ETag = $"\"{item.ETag()}\"";
        headers.LastModified = HeaderUtilities.FormatDate(item.Updated);
        headers["x-goog-generation"] = item.Generation.ToString(CultureInfo.InvariantCulture);
        headers["x-goog-metageneration"] = item.Metageneration.ToString(CultureInfo.InvariantCulture);
        // As in GCS: the JSON API sends one line, the XML API two. The Node client splits the one at the comma, without trimming;
        // the Go client looks at the beginning of each of the two.
        string[] hashes = [$"crc32c={item.Crc32cText()}", $"md5={item.Md5}"];
        headers["x-goog-hash"] = isXml ? hashes : string.Join(',', hashes);
        headers["x-goog-stored-content-encoding"] = Safe(metadata.ContentEncoding) ?? "identity";
        headers["x-goog-stored-content-length"] = item.Size.ToString(CultureInfo.InvariantCulture);
        headers["x-goog-storage-class"] = Safe(metadata.StorageClass) ?? "STANDARD";
        headers.ContentType = Safe(metadata.ContentType) ?? "application/octet-stream";
        headers.CacheControl = Safe(metadata.CacheControl) ?? "no-cache";
        if (Safe(metadata.ContentEncoding) is { } encoding) headers.ContentEncoding = encoding;
        if (Safe(metadata.ContentDisposition) is { } disposition) headers.ContentDisposition = disposition;
        if (Safe(metadata.ContentLanguage) is { } language) headers.ContentLanguage = language;
        foreach (var (key, value) in metadata.Custom ?? new Dictionary<string, string>())
        {
            if (key.All(IsToken) && Safe(value) is { } safe) headers["x-goog-meta-" + key] = safe;
        }
    }

    /// <summary>A value that a header can carry.</summary>
    private static string? Safe(string? value) => string.IsNullOrEmpty(value) || value.Any(char.IsControl) ? null : value;

    private static bool IsToken(char character) => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.';
}
