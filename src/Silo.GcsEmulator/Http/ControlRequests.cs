using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.GcsEmulator.Faults;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Http;

/// <summary>The emulator's own endpoints, which no fault touches: the fault plan and the statistics.</summary>
internal sealed class ControlRequests(ObjectStore store, FaultPlan plan, RequestCounters counters)
{
    public Task HandleAsync(HttpContext context, string path) => (context.Request.Method, path) switch
    {
        ("GET", "/_emulator/faults") => AnswerPlanAsync(context),
        ("PUT", "/_emulator/faults") => ReplacePlanAsync(context),
        ("DELETE", "/_emulator/faults") => DeletePlanAsync(context),
        ("GET", "/_emulator/stats") => AnswerStatisticsAsync(context),
        (var method, "/_emulator/faults" or "/_emulator/stats") => throw GcsRefusal.NotAllowed(method),
        _ => throw GcsRefusal.NoSuchPath(path),
    };

    private async Task ReplacePlanAsync(HttpContext context)
    {
        var body = await JsonBody.ReadBytesAsync(context.Request.Body, context.RequestAborted);
        try
        {
            plan.Replace(JsonSerializer.Deserialize(body, FaultJson.Default.FaultArray) ?? throw GcsRefusal.Invalid("A fault plan is an array."));
        }
        catch (JsonException malformed)
        {
            throw GcsRefusal.Invalid($"Not an array of faults; at {malformed.Path ?? "its beginning"} there is an unknown member or value, or malformed JSON.");
        }
        await AnswerPlanAsync(context);
    }

    private Task DeletePlanAsync(HttpContext context)
    {
        plan.Replace([]);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private Task AnswerPlanAsync(HttpContext context) =>
        ResourceJson.AnswerAsync(context, json => JsonSerializer.Serialize(json, plan.Faults, FaultJson.Default.FaultArray));

    private Task AnswerStatisticsAsync(HttpContext context)
    {
        var usage = store.Buckets.Select(bucket => bucket.Usage).ToList();
        return ResourceJson.AnswerAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteStartObject("requests");
            foreach (var kind in Enum.GetValues<RequestKind>())
                json.WriteNumber(JsonNamingPolicy.CamelCase.ConvertName(kind.ToString()), counters.Requests(kind));
            json.WriteEndObject();
            json.WriteNumber("receivedBytes", counters.ReceivedBytes);
            json.WriteNumber("sentBytes", counters.SentBytes);
            json.WriteNumber("faults", plan.Faults.Sum(fault => fault.Fired ?? 0));
            json.WriteNumber("flushes", store.Flushes);
            json.WriteNumber("buckets", usage.Count);
            json.WriteNumber("objects", usage.Sum(bucket => bucket.Objects));
            json.WriteNumber("storedBytes", usage.Sum(bucket => bucket.Bytes));
            json.WriteEndObject();
        });
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Fault[]))]
internal sealed partial class FaultJson : JsonSerializerContext;
