using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Silo.GcsEmulator.Http;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>
/// The beginning of an upload: what is to be written, read from the query, the headers and the first part of the body; what is left
/// of the body is the object's bytes. (A resumable upload has none yet.)
/// </summary>
internal sealed record UploadBody(UploadTarget Target, Stream Media)
{
    private const int SmallBufferBytes = 4 * 1024;
    private const int LargeBufferBytes = 64 * 1024;
    private const int MaxBoundary = 70; // RFC 2046, section 5.1.1

    public static async Task<UploadBody> OpenAsync(HttpContext context, GcsRoute route)
    {
        var request = context.Request;
        var resource = default(JsonElement);
        var media = request.Body;
        var mediaType = request.ContentType;
        switch ((string?)request.Query["uploadType"])
        {
            case "resumable":
                resource = await JsonBody.ReadAsync(request.Body, context.RequestAborted);
                (media, mediaType) = (Stream.Null, request.Headers["X-Upload-Content-Type"]);
                break;
            case "multipart":
                var parts = Parts(request);
                resource = await JsonBody.ReadAsync((await PartAsync(parts, context.RequestAborted)).Body, context.RequestAborted);
                var mediaPart = await PartAsync(parts, context.RequestAborted);
                (media, mediaType) = (mediaPart.Body, mediaPart.ContentType);
                break;
            case "media" or null:
                break;
            case var other:
                throw GcsRefusal.Invalid($"Invalid uploadType: '{other}'.");
        }
        return new UploadBody(TargetOf(request, route, resource, mediaType), media);
    }

    private static UploadTarget TargetOf(HttpRequest request, GcsRoute route, JsonElement resource, string? mediaType)
    {
        var metadata = resource.ValueKind == JsonValueKind.Undefined ? ObjectMetadata.None : ObjectMetadata.None.With(resource);
        if (metadata.ContentType is null && !string.IsNullOrEmpty(mediaType)) metadata = metadata with { ContentType = mediaType };
        if ((string?)request.Query["contentEncoding"] is { Length: > 0 } encoding) metadata = metadata with { ContentEncoding = encoding };
        var name = route.Object.Length > 0 ? route.Object : JsonBody.Text(resource, "name");
        return new UploadTarget(
            route.Bucket, ObjectName.Require(name), metadata, Preconditions.FromQuery(request.Query),
            ExpectedChecksums.FromResource(resource).With(request.Headers));
    }

    private static MultipartReader Parts(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.Type.Equals("multipart", StringComparison.OrdinalIgnoreCase)
            || HeaderUtilities.RemoveQuotes(type.Boundary) is not { Length: > 0 and <= MaxBoundary } boundary)
            throw GcsRefusal.Invalid("A multipart upload needs Content-Type: multipart/related; boundary=...");
        return new MultipartReader(boundary.Value!, request.Body, request.ContentLength < LargeBufferBytes ? SmallBufferBytes : LargeBufferBytes);
    }

    private static async Task<MultipartSection> PartAsync(MultipartReader parts, CancellationToken cancellationToken)
    {
        try
        {
            return await parts.ReadNextSectionAsync(cancellationToken) ?? throw GcsRefusal.Invalid("A multipart upload has two parts: metadata and media.");
        }
        catch (Exception malformed) when (malformed is IOException or InvalidDataException)
        {
            throw GcsRefusal.Invalid($"The multipart upload cannot be read: {malformed.Message}");
        }
    }
}
