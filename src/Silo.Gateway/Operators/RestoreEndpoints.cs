using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;

namespace Silo.Gateway.Operators;

/// <summary>
/// Going back to a state of the past. The call answers 200 when that is done within <see cref="OrgDatabaseTimeouts.RestoreWait"/>, and
/// otherwise 202 while it goes on; the same path tells how it went.
/// </summary>
internal sealed class RestoreEndpoints(TimeProvider time)
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var restore = app.MapGroup("/api/admin/organizations/{id}/restore").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        var calls = new RestoreEndpoints(app.ServiceProvider.GetRequiredService<TimeProvider>());
        restore.MapPost("", calls.Begin).WithName("RestoreOrganization").Produces<RestoreStatus>().Produces<RestoreStatus>(StatusCodes.Status202Accepted)
            .WithDescription("Goes back to the newest proven state at or before a moment. 200 when it is done within 20 s; otherwise 202, and GET at the same path tells how it goes on.");
        restore.MapGet("", Get).WithName("GetRestore").Produces<RestoreStatus>()
            .WithDescription("The last restore of the organization. It is known for as long as its database is active, and for five minutes after a failure.");
    }

    private async Task<IResult> Begin(SiloGrains grains, string id, RestoreBody body, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        var at = body.Moment(time.GetUtcNow());
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        var status = await grains.Database(organization).Restore(at, body.DryRun, cancellationToken);
        return status.State == RestoreState.Running
            ? TypedResults.Accepted($"/api/admin/organizations/{organization}/restore", status)
            : TypedResults.Ok(status);
    }

    private static async Task<IResult> Get(SiloGrains grains, string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        return TypedResults.Ok(await grains.Database(organization).FindRestore(cancellationToken)
            ?? throw new OrganizationException(OrganizationErrorCode.RestoreNotFound, "No restore of this organization was asked for lately."));
    }
}

/// <summary>The body of a restore.</summary>
/// <param name="At">The moment, RFC 3339 with its offset, not in the future.</param>
/// <param name="DryRun">Only finds, proves and counts what would be restored.</param>
internal sealed record RestoreBody(string? At, bool DryRun = false)
{
    private static readonly string[] Formats = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz"];

    /// <summary>The moment that the body asks for.</summary>
    /// <exception cref="OrganizationException">It is none, or has not come yet.</exception>
    public DateTimeOffset Moment(DateTimeOffset now)
    {
        var problem = At is null ? "A moment is required."
            : !DateTimeOffset.TryParseExact(At, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
                ? "A moment is written as 2026-03-01T09:30:00Z, with its offset."
            : at > now ? "The moment has not come yet."
            : null;
        return problem is null
            ? DateTimeOffset.ParseExact(At!, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal)
            : throw new OrganizationException(OrganizationErrorCode.ValidationFailed, "The restore cannot be done as it is asked for.")
            {
                Errors = new Dictionary<string, string[]> { ["at"] = [problem] },
            };
    }
}
