using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;

namespace Silo.Gateway.Operators;

/// <summary>Migrations from Turso to SQLite, and back (API.md, "Operators").</summary>
internal static class MigrationEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var migrate = app.MapGroup("/api/admin/organizations/{id}/migrate").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        migrate.MapPost("", Begin).WithName("MigrateOrganization").Produces<MigrationStatus>().Produces<MigrationStatus>(StatusCodes.Status202Accepted)
            .WithDescription("Moves the organization from Turso to SQLite, or only looks ('inspect'), does all but the move ('dryRun'), compares both afterwards ('verifyOnly'), or goes back ('rollback'). "
                + "202, and GET at the same path tells how it goes on; 200 when it was moved before.");
        migrate.MapGet("", Get).WithName("GetMigration").Produces<MigrationStatus>()
            .WithDescription("The organization's last migration, verification or rollback.");
        app.MapGet("/api/admin/migrations", Report).RequireAuthorization(CallerPolicies.Admin).WithTags("Operators").WithName("GetFleetReport")
            .WithDescription("How many organizations are where, and a page of their last migrations.");
    }

    private static async Task<IResult> Begin(SiloGrains grains, string id, MigrationBody? body, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        var status = await grains.Database(organization).Migrate((body ?? new MigrationBody()).Request(), cancellationToken);
        return status.IsRunning ? TypedResults.Accepted($"/api/admin/organizations/{organization}/migrate", status) : TypedResults.Ok(status);
    }

    private static async Task<IResult> Get(SiloGrains grains, string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        return TypedResults.Ok(await grains.Database(organization).FindMigration(cancellationToken)
            ?? throw new OrganizationException(OrganizationErrorCode.MigrationNotFound, "No migration of this organization was ever begun."));
    }

    private static async Task<Ok<FleetReport>> Report(SiloGrains grains, string? cursor, string? limit, CancellationToken cancellationToken) =>
        TypedResults.Ok(await grains.Catalog.ReportMigrations(string.IsNullOrEmpty(cursor) ? null : cursor, PageLimit.Parse(limit), cancellationToken));
}

/// <summary>The body of a migration; at most one of the first four.</summary>
/// <param name="Inspect">Only looks at the Turso database.</param>
/// <param name="DryRun">Does all but the move.</param>
/// <param name="VerifyOnly">Compares an organization that was moved with the Turso database that it came from.</param>
/// <param name="Rollback">Goes back to Turso.</param>
/// <param name="DiscardNewWrites">Goes back although something was written since; it is exported into the bucket.</param>
// A word that is spelt wrong must not be an operation that nobody asked for.
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record MigrationBody(bool Inspect = false, bool DryRun = false, bool VerifyOnly = false, bool Rollback = false, bool DiscardNewWrites = false)
{
    /// <summary>What it asks for.</summary>
    /// <exception cref="OrganizationException">It asks for several things at once.</exception>
    public MigrationRequest Request()
    {
        (bool Is, MigrationKind Kind)[] flags =
            [(Inspect, MigrationKind.Inspect), (DryRun, MigrationKind.Rehearse), (VerifyOnly, MigrationKind.Verify), (Rollback, MigrationKind.RollBack)];
        var asked = flags.Where(flag => flag.Is).Select(flag => flag.Kind).ToList();
        if (asked.Count > 1) throw Invalid("inspect", "At most one of 'inspect', 'dryRun', 'verifyOnly' and 'rollback' can be true.");
        if (DiscardNewWrites && !Rollback) throw Invalid("discardNewWrites", "Only a rollback discards anything.");
        return new MigrationRequest(asked is [var one] ? one : MigrationKind.Migrate, DiscardNewWrites);
    }

    private static OrganizationException Invalid(string field, string problem) =>
        new(OrganizationErrorCode.ValidationFailed, "The migration cannot be done as it is asked for.") { Errors = new Dictionary<string, string[]> { [field] = [problem] } };
}
