using System.Globalization;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Http;

/// <summary>What the APIs do with objects that exist.</summary>
internal sealed class ObjectRequests(ObjectStore store, RequestCounters counters)
{
    public Task GetAsync(HttpContext context, GcsRoute route)
    {
        var query = context.Request.Query;
        var item = store.Get(route.Bucket).Get(route.Object, Generation(query), Preconditions.FromQuery(query));
        return ResourceJson.AnswerAsync(context, route.Bucket, item);
    }

    public async Task DownloadAsync(HttpContext context, GcsRoute route)
    {
        var request = context.Request;
        var conditions = route.IsXml ? Preconditions.FromHeaders(request.Headers) : Preconditions.FromQuery(request.Query);
        var (item, content) = store.Get(route.Bucket).Open(route.Object, Generation(request.Query), conditions);
        using (content) await ObjectDownload.AnswerAsync(context, item, content, route.IsXml, counters);
    }

    public Task ListAsync(HttpContext context, GcsRoute route)
    {
        var bucket = store.Get(route.Bucket);
        var page = bucket.List(ListParameters.Read(context.Request.Query));
        var origin = ResourceJson.Origin(context);
        return ResourceJson.AnswerAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("kind", "storage#objects");
            if (page.NextPageToken is not null) json.WriteString("nextPageToken", page.NextPageToken);
            if (page.Objects.Count > 0)
            {
                json.WriteStartArray("items");
                foreach (var item in page.Objects) ResourceJson.WriteObject(json, bucket.Name, item, origin);
                json.WriteEndArray();
            }
            if (page.Prefixes.Count > 0)
            {
                json.WriteStartArray("prefixes");
                foreach (var prefix in page.Prefixes) json.WriteStringValue(prefix);
                json.WriteEndArray();
            }
            json.WriteEndObject();
        });
    }

    public async Task DeleteAsync(HttpContext context, GcsRoute route)
    {
        var query = context.Request.Query;
        await store.Get(route.Bucket).DeleteAsync(route.Object, Generation(query), Preconditions.FromQuery(query));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <summary>PATCH changes what the body names; PUT replaces all of it.</summary>
    public async Task PatchAsync(HttpContext context, GcsRoute route)
    {
        var query = context.Request.Query;
        var resource = await JsonBody.ReadAsync(context.Request.Body, context.RequestAborted);
        var patched = await store.Get(route.Bucket).PatchAsync(
            route.Object, Generation(query), Preconditions.FromQuery(query),
            old => (route.Kind == RequestKind.UpdateObject ? ObjectMetadata.None : old).With(resource));
        await ResourceJson.AnswerAsync(context, route.Bucket, patched);
    }

    /// <summary>Copies at once whatever the size, so a rewrite is always done after its first call.</summary>
    public async Task CopyAsync(HttpContext context, GcsRoute route)
    {
        var query = context.Request.Query;
        var resource = await JsonBody.ReadAsync(context.Request.Body, context.RequestAborted);
        var target = store.Get(route.TargetBucket);
        var conditions = Preconditions.FromQuery(query);
        var name = ObjectName.Require(route.TargetObject);
        var (source, bytes) = store.Get(route.Bucket).Open(
            route.Object, Number(query["sourceGeneration"]), Preconditions.FromQuery(query, "ifSource"));
        using (bytes)
        {
            target.RequireForPut(name, conditions);
            using var content = target.NewContent();
            await using (var stream = new FileStream(bytes, FileAccess.Read, bufferSize: 0)) await content.AppendAsync(stream, context.RequestAborted);
            // A body with metadata replaces the source's; an empty one keeps it.
            var metadata = resource.EnumerateObject().Any() ? ObjectMetadata.None.With(resource) : source.Metadata;
            if (metadata.ContentType is null) metadata = metadata with { ContentType = source.Metadata.ContentType };
            var copy = await target.PutAsync(name, metadata, content, conditions);
            if (route.Kind == RequestKind.CopyObject) await ResourceJson.AnswerAsync(context, target.Name, copy);
            else await AnswerRewriteAsync(context, target.Name, copy);
        }
    }

    private static Task AnswerRewriteAsync(HttpContext context, string bucket, StoredObject copy) => ResourceJson.AnswerAsync(context, json =>
    {
        var size = copy.Size.ToString(CultureInfo.InvariantCulture);
        json.WriteStartObject();
        json.WriteString("kind", "storage#rewriteResponse");
        json.WriteString("totalBytesRewritten", size);
        json.WriteString("objectSize", size);
        json.WriteBoolean("done", true);
        json.WritePropertyName("resource");
        ResourceJson.WriteObject(json, bucket, copy, ResourceJson.Origin(context));
        json.WriteEndObject();
    });

    private static long? Generation(IQueryCollection query) => query.Count == 0 ? null : Number(query["generation"]);

    private static long? Number(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw GcsRefusal.Invalid($"Invalid generation: '{text}'.");
    }
}
