using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Http;

/// <summary>What the JSON API does with buckets.</summary>
internal sealed class BucketRequests(ObjectStore store)
{
    public async Task CreateAsync(HttpContext context)
    {
        var resource = await JsonBody.ReadAsync(context.Request.Body, context.RequestAborted);
        await AnswerAsync(context, store.Create(JsonBody.Text(resource, "name") ?? throw GcsRefusal.Required("name")).Attributes);
    }

    public Task GetAsync(HttpContext context, GcsRoute route)
    {
        var attributes = store.Get(route.Bucket).Attributes;
        Preconditions.FromQuery(context.Request.Query).RequireForRead(1, attributes.Metageneration);
        return AnswerAsync(context, attributes);
    }

    /// <summary>All of them in one page: an emulator has few.</summary>
    public Task ListAsync(HttpContext context)
    {
        var prefix = (string?)context.Request.Query["prefix"] ?? "";
        var origin = ResourceJson.Origin(context);
        return ResourceJson.AnswerAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("kind", "storage#buckets");
            json.WriteStartArray("items");
            foreach (var bucket in store.Buckets.Where(bucket => bucket.Name.StartsWith(prefix, StringComparison.Ordinal)))
                ResourceJson.WriteBucket(json, bucket.Attributes, origin);
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    public Task DeleteAsync(HttpContext context, GcsRoute route)
    {
        store.Delete(route.Bucket, Preconditions.FromQuery(context.Request.Query));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static Task AnswerAsync(HttpContext context, BucketAttributes bucket) =>
        ResourceJson.AnswerAsync(context, json => ResourceJson.WriteBucket(json, bucket, ResourceJson.Origin(context)));
}
