using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.Gateway.Telemetry;

namespace Silo.Gateway.Answers;

/// <summary>Writes a refusal as <c>application/problem+json</c>.</summary>
internal static class ProblemAnswer
{
    private const string ContentType = "application/problem+json";
    private const int TraceIdLength = 32; // Kestrel's own identifier of a request is shorter

    // Long enough to let a silo take over what another has let go, short enough that nobody notices the wait.
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(2);

    public static Task Write(
        HttpContext context,
        ProblemType type,
        string? detail = null,
        TimeSpan? retryAfter = null,
        IReadOnlyDictionary<string, string[]>? errors = null)
    {
        context.RequestServices.GetService<RequestMetrics>()?.Rejected(type);
        var response = context.Response;
        response.StatusCode = type.Status;
        response.ContentType = ContentType;
        if (type.HasRetryAfter)
        {
            var seconds = Math.Max(1, Math.Ceiling((retryAfter ?? DefaultRetryAfter).TotalSeconds));
            response.Headers.RetryAfter = seconds.ToString("0", CultureInfo.InvariantCulture);
        }
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new ProblemBody(type.Uri, type.Title, type.Status, detail ?? type.Title + ".", type.Code, TraceId(context), errors),
            ProblemJson.Default.ProblemBody);
        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body, CancellationToken.None).AsTask();
    }

    /// <summary>
    /// The request's W3C trace id, by which its log lines and spans are found. Of a request that is not traced, it is the one that the
    /// caller has sent, or a new one.
    /// </summary>
    public static string TraceId(HttpContext context)
    {
        if (Activity.Current is { } activity) return activity.TraceId.ToHexString();
        if (context.TraceIdentifier.Length != TraceIdLength)
        {
            var traced = ActivityContext.TryParse(context.Request.Headers.TraceParent, null, out var parent);
            context.TraceIdentifier = (traced ? parent.TraceId : ActivityTraceId.CreateRandom()).ToHexString();
        }
        return context.TraceIdentifier;
    }
}

/// <summary>The members of a problem (RFC 9457), with our three.</summary>
internal sealed record ProblemBody(
    string Type,
    string Title,
    int Status,
    string Detail,
    string Code,
    string TraceId,
    IReadOnlyDictionary<string, string[]>? Errors);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProblemBody))]
internal sealed partial class ProblemJson : JsonSerializerContext;
