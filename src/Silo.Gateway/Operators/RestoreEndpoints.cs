using System.Globalization;
using System.Text.Json.Serialization;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;

namespace Silo.Gateway.Operators;

/// <summary>
/// Going back to a state of the past, or making a new organization of one. The call answers 200 when that is done within <see cref="OrgDatabaseTimeouts.RestoreWait"/>, and
/// otherwise 202 while it goes on; the same path, for a copy that of the new organization, tells how it went.
/// </summary>
internal sealed class RestoreEndpoints(TimeProvider time)
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var restore = app.MapGroup("/api/admin/organizations/{id}/restore").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        var calls = new RestoreEndpoints(app.ServiceProvider.GetRequiredService<TimeProvider>());
        restore.MapPost("", calls.Begin).WithName("RestoreOrganization").Produces<RestoreStatus>().Produces<RestoreStatus>(StatusCodes.Status202Accepted)
            .WithDescription("Goes back to the newest proven state at or before a moment. 200 when it is done within 20 s; otherwise 202, and GET at the Location tells how it goes on. "
                + "With 'as' nothing of this organization is changed: a new one of that id is made of the state.");
        restore.MapGet("", Get).WithName("GetRestore").Produces<RestoreStatus>()
            .WithDescription("The last restore of the organization, or how it is being made as a copy. It is known for as long as its database is active, and for five minutes after a failure.");
    }

    private async Task<IResult> Begin(SiloGrains grains, string id, RestoreBody body, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        var at = body.Moment(time.GetUtcNow());
        var target = body.Target(organization);
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        var status = target is { } copy
            ? await grains.Database(copy).CopyFrom(organization, at, body.Name, body.DryRun, cancellationToken)
            : await grains.Database(organization).Restore(at, body.DryRun, cancellationToken);
        return status.State == RestoreState.Running
            ? TypedResults.Accepted($"/api/admin/organizations/{target ?? organization}/restore", status)
            : TypedResults.Ok(status);
    }

    private static async Task<IResult> Get(SiloGrains grains, string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        if (await grains.Database(organization).FindRestore(cancellationToken) is { } status) return TypedResults.Ok(status);
        // Asked last: one that is being made as a copy is not in the catalog yet.
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        throw new OrganizationException(OrganizationErrorCode.RestoreNotFound, "No restore of this organization was asked for lately.");
    }
}

/// <summary>The body of a restore.</summary>
/// <param name="At">The moment, RFC 3339 with its offset, not in the future.</param>
/// <param name="DryRun">Only finds, proves and counts what would be restored.</param>
/// <param name="As">The id of a new organization that is to be made of it; if absent, the organization itself goes back.</param>
/// <param name="Name">The new organization's name; that of the other if absent.</param>
// A word that is spelt wrong must not be an operation that nobody asked for.
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record RestoreBody(string? At, bool DryRun = false, string? As = null, string? Name = null)
{
    private static readonly string[] Formats = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz"];

    /// <summary>The organization that is to be made; null when there is none to be made.</summary>
    /// <exception cref="OrganizationException">It is no id, or the organization itself; or there is a name for nobody.</exception>
    public OrganizationId? Target(OrganizationId source)
    {
        if (As is null && Name is null) return null;
        if (As is null) throw Invalid("name", "Only a new organization (as) gets a name.");
        var target = OrganizationId.Parse(As);
        return target == source ? throw Invalid("as", "A copy has an id of its own; without 'as' the organization itself goes back.") : target;
    }

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
            : throw Invalid("at", problem);
    }

    private static OrganizationException Invalid(string field, string problem) =>
        new(OrganizationErrorCode.ValidationFailed, "The restore cannot be done as it is asked for.") { Errors = new Dictionary<string, string[]> { [field] = [problem] } };
}
