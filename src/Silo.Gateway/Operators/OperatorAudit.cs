using Microsoft.AspNetCore.Http.HttpResults;
using Silo.Contracts.Organizations;
using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;

namespace Silo.Gateway.Operators;

/// <summary>
/// Writes down what operators do: each call of the admin API that changes something or takes an organization's data away, before it is
/// done and with the status of its answer. What cannot be written down is not done.
/// </summary>
internal sealed partial class OperatorAudit(RequestDelegate next, SiloGrains grains, TimeProvider time, ILogger<OperatorAudit> logger)
{
    /// <summary>Marks a call that takes an organization's data away, at whatever path.</summary>
    public static readonly object TakesDataAway = new Mark();

    private const int MaxLength = 300; // of a path, or of a piece of one that should be an id

    public static void Map(IEndpointRouteBuilder app) =>
        app.MapGet("/api/admin/audit", List).RequireAuthorization(CallerPolicies.Admin).WithTags("Operators").WithName("ListOperatorActions")
            .WithDescription("What operators did, newest first: who, when, from where, what, and how it was answered.");

    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsAction(context) || context.User is not Caller { IsAdmin: true } caller)
        {
            await next(context);
            return;
        }
        var path = context.Request.Path.Value!;
        var now = time.GetUtcNow();
        var action = new OperatorAction
        {
            Id = Guid.CreateVersion7(now).ToString(),
            At = now,
            Operator = caller.User,
            Source = context.Connection.RemoteIpAddress?.ToString(),
            Action = $"{context.Request.Method} {(path.Length > MaxLength ? path[..MaxLength] : path)}",
            Organization = Organization(context.Request.RouteValues),
            TraceId = ProblemAnswer.TraceId(context),
        };
        await grains.Catalog.RecordAction(action, context.RequestAborted);
        // Whatever goes wrong below gets its status further out.
        context.Response.OnCompleted(() => AnsweredAsync(action with { Status = context.Response.StatusCode }));
        await next(context);
    }

    // Routes do not look at the case of letters, so neither does this.
    private static bool IsAction(HttpContext context) => context.GetEndpoint() is { } call
        && (call.Metadata.GetMetadata<Mark>() is not null
            || (!HttpMethods.IsGet(context.Request.Method) && context.Request.Path.StartsWithSegments("/api/admin", StringComparison.OrdinalIgnoreCase)));

    // Of an import of an organization, "id" is the import.
    private static string? Organization(RouteValueDictionary route) => (route["organization"] ?? route["id"]) as string is { Length: <= MaxLength } id ? id : null;

    private async Task AnsweredAsync(OperatorAction action)
    {
        try
        {
            await grains.Catalog.RecordAction(action, CancellationToken.None);
        }
        catch (Exception e)
        {
            // The answer is gone; that it was asked for is written down.
            LogNotRecorded(action.Action, action.Status, e);
        }
    }

    private static async Task<Ok<OperatorActionPage>> List(SiloGrains grains, string? cursor, string? limit, CancellationToken cancellationToken) =>
        TypedResults.Ok(await grains.Catalog.ListActions(string.IsNullOrEmpty(cursor) ? null : cursor, PageLimit.Parse(limit), cancellationToken));

    private sealed class Mark;

    [LoggerMessage(LogLevel.Error, "How an operator's action was answered could not be written down: {Action}, {Status}")]
    private partial void LogNotRecorded(string action, int? status, Exception exception);
}
