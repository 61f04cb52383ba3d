using Microsoft.AspNetCore.Http.HttpResults;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;

namespace Silo.Gateway.Operators;

/// <summary>The leases in the bucket, for operators (API.md, "Operators").</summary>
internal static class LockEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var locks = app.MapGroup("/api/admin/locks").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        locks.MapGet("", List).WithName("ListLocks");
        locks.MapDelete("/{id}", Release).WithName("ReleaseLock");
    }

    private static async Task<Ok<LockPage>> List(SiloGrains grains, string? cursor, string? limit, CancellationToken cancellationToken) =>
        TypedResults.Ok(await grains.Locks.List(string.IsNullOrEmpty(cursor) ? null : cursor, PageLimit.Parse(limit), cancellationToken));

    private static async Task<NoContent> Release(SiloGrains grains, string id, CancellationToken cancellationToken)
    {
        await grains.Locks.Release(OrganizationId.Parse(id), cancellationToken);
        return TypedResults.NoContent();
    }
}
