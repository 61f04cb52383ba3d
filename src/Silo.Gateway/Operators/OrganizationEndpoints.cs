using Microsoft.AspNetCore.Http.HttpResults;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;

namespace Silo.Gateway.Operators;

/// <summary>The catalog of organizations, for operators (API.md, "Operators").</summary>
internal static class OrganizationEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var organizations = app.MapGroup("/api/admin/organizations").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        organizations.MapGet("", List).WithName("ListOrganizations");
        organizations.MapPost("", Create).WithName("CreateOrganization");
        organizations.MapGet("/{id}", Get).WithName("GetOrganization");
    }

    /// <summary>The organization of an id that a caller has sent.</summary>
    public static async Task<Organization> Find(SiloGrains grains, OrganizationId id, CancellationToken cancellationToken) =>
        await grains.Catalog.GetOrganization(id, cancellationToken)
        ?? throw new OrganizationException(OrganizationErrorCode.OrganizationNotFound, "The catalog has no organization of this id.");

    private static async Task<Ok<OrganizationPage>> List(
        SiloGrains grains, string? dbType, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        OrganizationDbType? only = dbType switch
        {
            null or "" => null,
            "sqlite" => OrganizationDbType.Sqlite,
            "turso" => OrganizationDbType.Turso,
            _ => throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "'dbType' is 'sqlite' or 'turso'."),
        };
        var page = await grains.Catalog.ListOrganizations(only, string.IsNullOrEmpty(cursor) ? null : cursor, PageLimit.Parse(limit), cancellationToken);
        return TypedResults.Ok(page with { Items = [.. page.Items.Select(WithoutCredentials)] });
    }

    private static async Task<Created<Organization>> Create(SiloGrains grains, NewOrganizationBody organization, CancellationToken cancellationToken)
    {
        var added = await grains.Catalog.CreateOrganization(organization.Check(), cancellationToken);
        return TypedResults.Created($"/api/admin/organizations/{added.Id}", WithoutCredentials(added));
    }

    private static async Task<Ok<Organization>> Get(SiloGrains grains, string id, CancellationToken cancellationToken) =>
        TypedResults.Ok(WithoutCredentials(await Find(grains, OrganizationId.Parse(id), cancellationToken)));

    // Rows of the older system may carry a token in the address. What cannot be read as an address is not shown at all.
    private static Organization WithoutCredentials(Organization organization)
    {
        if (organization.TursoUrl is not { } text) return organization;
        return organization with
        {
            TursoUrl = Uri.TryCreate(text, UriKind.Absolute, out var url)
                ? url.GetComponents(UriComponents.Scheme | UriComponents.Host | UriComponents.Port | UriComponents.Path, UriFormat.UriEscaped)
                : null,
        };
    }
}
