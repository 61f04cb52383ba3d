using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Http;

/// <summary>Writes objects and buckets as GCS's JSON resources.</summary>
internal static class ResourceJson
{
    // Nobody puts these answers into HTML.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Answers with JSON.</summary>
    public static async Task AnswerAsync(HttpContext context, Action<Utf8JsonWriter> write, int status = StatusCodes.Status200OK)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=UTF-8";
        context.Response.Headers.CacheControl = "no-cache, no-store, max-age=0, must-revalidate";
        using var body = new MemoryStream();
        await using (var json = new Utf8JsonWriter(body, Plain)) write(json);
        context.Response.ContentLength = body.Length;
        if (HttpMethods.IsHead(context.Request.Method)) return;
        await context.Response.BodyWriter.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), CancellationToken.None);
    }

    public static Task AnswerAsync(HttpContext context, string bucket, StoredObject item)
    {
        context.Response.Headers.ETag = item.ETag();
        return AnswerAsync(context, json => WriteObject(json, bucket, item, Origin(context)));
    }

    /// <summary>What this server is called by this client: links and upload sessions begin with it.</summary>
    public static string Origin(HttpContext context) => $"{context.Request.Scheme}://{context.Request.Host.Value}";

    public static void WriteObject(Utf8JsonWriter json, string bucket, StoredObject item, string origin)
    {
        var generation = item.Generation.ToString(CultureInfo.InvariantCulture);
        var path = $"{origin}/storage/v1/b/{bucket}/o/{Uri.EscapeDataString(item.Name)}";
        json.WriteStartObject();
        json.WriteString("kind", "storage#object");
        json.WriteString("id", $"{bucket}/{item.Name}/{generation}");
        json.WriteString("selfLink", path);
        json.WriteString("mediaLink", $"{path.Replace("/storage/v1/", "/download/storage/v1/", StringComparison.Ordinal)}?generation={generation}&alt=media");
        json.WriteString("name", item.Name);
        json.WriteString("bucket", bucket);
        json.WriteString("generation", generation);
        json.WriteString("metageneration", item.Metageneration.ToString(CultureInfo.InvariantCulture));
        json.WriteString("size", item.Size.ToString(CultureInfo.InvariantCulture));
        json.WriteString("md5Hash", item.Md5);
        json.WriteString("crc32c", item.Crc32cText());
        json.WriteString("etag", item.ETag());
        json.WriteString("timeCreated", Time(item.Created));
        json.WriteString("updated", Time(item.Updated));
        json.WriteString("timeStorageClassUpdated", Time(item.Created));
        json.WriteString("timeFinalized", Time(item.Created));
        WriteMetadata(json, item.Metadata);
        json.WriteEndObject();
    }

    public static void WriteBucket(Utf8JsonWriter json, BucketAttributes bucket, string origin)
    {
        json.WriteStartObject();
        json.WriteString("kind", "storage#bucket");
        json.WriteString("id", bucket.Name);
        json.WriteString("selfLink", $"{origin}/storage/v1/b/{bucket.Name}");
        json.WriteString("name", bucket.Name);
        json.WriteString("projectNumber", "0");
        json.WriteString("metageneration", bucket.Metageneration.ToString(CultureInfo.InvariantCulture));
        json.WriteString("location", "US");
        json.WriteString("locationType", "multi-region");
        json.WriteString("storageClass", "STANDARD");
        json.WriteString("etag", $"{bucket.Metageneration:x}");
        json.WriteString("timeCreated", Time(bucket.Created));
        json.WriteString("updated", Time(bucket.Created));
        json.WriteEndObject();
    }

    private static void WriteMetadata(Utf8JsonWriter json, ObjectMetadata metadata)
    {
        json.WriteString("storageClass", metadata.StorageClass ?? "STANDARD");
        WriteIfSet(json, "contentType", metadata.ContentType);
        WriteIfSet(json, "contentEncoding", metadata.ContentEncoding);
        WriteIfSet(json, "contentDisposition", metadata.ContentDisposition);
        WriteIfSet(json, "contentLanguage", metadata.ContentLanguage);
        WriteIfSet(json, "cacheControl", metadata.CacheControl);
        WriteIfSet(json, "customTime", metadata.CustomTime);
        if (metadata.Custom is null) return;
        json.WriteStartObject("metadata");
        foreach (var (key, value) in metadata.Custom) json.WriteString(key, value);
        json.WriteEndObject();
    }

    private static void WriteIfSet(Utf8JsonWriter json, string member, string? value)
    {
        if (value is not null) json.WriteString(member, value);
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
