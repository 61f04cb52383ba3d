using System.Text.Json;
using Orleans.Runtime.Messaging;
using Silo.Contracts;
using Silo.Gateway.Telemetry;

namespace Silo.Gateway.Answers;

/// <summary>
/// The outermost step: whatever goes wrong further in, by exception or by a bare status, is answered as a problem.
/// Expected refusals are logged where they arise, in the silo; here only what nobody expected.
/// </summary>
internal sealed partial class FailureAnswers(RequestDelegate next, RequestMetrics metrics, ILogger<FailureAnswers> logger)
{
    // "Client closed request": nobody reads the answer, but the request log and the metrics should not show a success.
    private const int ClientClosedRequest = 499;

    public async Task InvokeAsync(HttpContext context)
    {
        var response = context.Response;
        metrics.Began();
        SetHeaders(context);
        try
        {
            await next(context);
            if (response.StatusCode >= 400 && response is { HasStarted: false, ContentType: null, ContentLength: null })
            {
                await ProblemAnswer.Write(context, ProblemType.OfStatus(response.StatusCode));
            }
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            if (!response.HasStarted) response.StatusCode = ClientClosedRequest;
        }
        catch (Exception exception) when (!response.HasStarted)
        {
            response.Clear();
            SetHeaders(context);
            await Answer(context, exception);
        }
        finally
        {
            metrics.Ended();
        }
    }

    private static void SetHeaders(HttpContext context)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (!context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase)) return;
        context.Response.Headers.CacheControl = "no-store";
        // No browser is to show an answer as a page, or in one.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
    }

    private Task Answer(HttpContext context, Exception exception)
    {
        switch (exception)
        {
            case OrganizationException refusal:
                return ProblemAnswer.Write(context, ProblemType.Of(refusal.Code), refusal.Message, refusal.RetryAfter, refusal.Errors);

            case BadHttpRequestException { InnerException: JsonException } when context.Request.Headers.ContentEncoding.Count > 0:
                return ProblemAnswer.Write(context, ProblemType.UnsupportedMediaType, "This call takes no Content-Encoding.");

            case BadHttpRequestException { InnerException: JsonException json }:
                return ProblemAnswer.Write(context, ProblemType.InvalidRequest, Describe(json));

            case BadHttpRequestException bad:
                return ProblemAnswer.Write(context, ProblemType.OfStatus(bad.StatusCode), bad.Message);

            case LimitExceededException or GatewayTooBusyException:
                return ProblemAnswer.Write(context, ProblemType.TooManyRequests);

            // No answer in time, a silo that stopped with the request (SiloUnavailableException is a rejection too), or no way to any silo.
            case TimeoutException or OrleansMessageRejectionException or ConnectionFailedException or OperationCanceledException:
                LogClusterUnavailable(logger, exception.GetType().Name, exception.Message, ProblemAnswer.TraceId(context));
                return ProblemAnswer.Write(context, ProblemType.ClusterUnavailable);

            default:
                LogFailure(logger, exception, context.Request.Method, ProblemAnswer.TraceId(context));
                return ProblemAnswer.Write(context, ProblemType.InternalError, $"It has been logged with the trace id {ProblemAnswer.TraceId(context)}.");
        }
    }

    private static string Describe(JsonException json) => json.Path is { Length: > 1 } path
        ? $"The body is not what this call takes: look at {path} (line {json.LineNumber + 1})."
        : "The body is not a JSON object.";

    [LoggerMessage(LogLevel.Warning, "The cluster did not answer a request ({Exception}: {Problem}); trace {TraceId}")]
    private static partial void LogClusterUnavailable(ILogger logger, string exception, string problem, string traceId);

    [LoggerMessage(LogLevel.Error, "A {Method} request failed unexpectedly; trace {TraceId}")]
    private static partial void LogFailure(ILogger logger, Exception exception, string method, string traceId);
}
