using Microsoft.AspNetCore.Http.HttpResults;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;

namespace Silo.Gateway.Operators;

/// <summary>The active databases, for operators. Only <c>warm</c> ever activates one (API.md, "Operators").</summary>
internal sealed partial class DatabaseEndpoints(SiloGrains grains, ILogger<DatabaseEndpoints> logger)
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var databases = app.MapGroup("/api/admin/databases").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        var calls = ActivatorUtilities.CreateInstance<DatabaseEndpoints>(app.ServiceProvider);
        databases.MapGet("", calls.List).WithName("ListDatabases");
        databases.MapGet("/{id}", calls.Get).WithName("GetDatabase").Produces<DatabaseStatus>();
        databases.MapPost("/{id}/warm", calls.Warm).WithName("WarmDatabase");
        databases.MapPost("/{id}/deactivate", calls.Deactivate).WithName("DeactivateDatabase").Produces<DatabaseChange>(StatusCodes.Status202Accepted);
    }

    private async Task<Ok<DatabaseList>> List(CancellationToken cancellationToken) =>
        TypedResults.Ok(new DatabaseList(await grains.ActiveDatabases.List(cancellationToken)));

    private async Task<IResult> Get(HttpContext context, string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        return await grains.ActiveDatabases.Find(organization, cancellationToken) is { } status
            ? TypedResults.Ok(status)
            : await NotActive(context, organization, cancellationToken);
    }

    private async Task<Accepted<DatabaseChange>> Warm(string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        _ = WarmOnItsOwn(organization);
        return Accepted(organization, DatabaseState.Activating);
    }

    private async Task<IResult> Deactivate(HttpContext context, string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        return await grains.ActiveDatabases.Deactivate(organization, cancellationToken)
            ? Accepted(organization, DatabaseState.Deactivating)
            : await NotActive(context, organization, cancellationToken);
    }

    // The answer does not wait: a restore may take minutes. How it went is to be seen where the Location points.
    private async Task WarmOnItsOwn(OrganizationId organization)
    {
        try
        {
            await grains.Database(organization).Warm(CancellationToken.None);
        }
        catch (Exception exception)
        {
            LogNotWarmed(logger, organization.Value, exception.Message);
        }
    }

    private async Task<IResult> NotActive(HttpContext context, OrganizationId organization, CancellationToken cancellationToken)
    {
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        await ProblemAnswer.Write(context, ProblemType.DatabaseNotActive, "No silo holds this organization's database open.");
        return Results.Empty;
    }

    private static Accepted<DatabaseChange> Accepted(OrganizationId organization, DatabaseState state) =>
        TypedResults.Accepted($"/api/admin/databases/{organization}", new DatabaseChange(organization, state));

    [LoggerMessage(LogLevel.Warning, "The database of {Organization} could not be warmed: {Reason}")]
    private static partial void LogNotWarmed(ILogger logger, string organization, string reason);
}

/// <summary>Every active database.</summary>
internal sealed record DatabaseList(IReadOnlyList<DatabaseStatus> Items);

/// <summary>What has begun.</summary>
internal sealed record DatabaseChange(OrganizationId Organization, DatabaseState State);
