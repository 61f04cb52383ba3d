using Silo.Contracts.Migration;

namespace Silo.Contracts.Organizations;

/// <summary>The catalog of organizations; key 0.</summary>
[Alias("silo.ICatalogGrain")]
public interface ICatalogGrain : IGrainWithIntegerKey
{
    /// <summary>A page of organizations by id.</summary>
    /// <param name="dbType">Only these; null for all.</param>
    /// <param name="cursor">The <c>nextCursor</c> of the page before; null for the first.</param>
    /// <param name="limit">1 to 500.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    [Alias("list")]
    Task<OrganizationPage> ListOrganizations(OrganizationDbType? dbType, string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>One organization; null when there is none.</summary>
    [Alias("get")]
    Task<Organization?> GetOrganization(OrganizationId id, CancellationToken cancellationToken);

    /// <summary>Adds one. <see cref="OrganizationErrorCode.OrganizationExists"/> when the id is taken.</summary>
    [Alias("create")]
    Task<Organization> CreateOrganization(NewOrganization organization, CancellationToken cancellationToken);

    /// <summary>How far the fleet has come from Turso to SQLite, with a page of its migrations.</summary>
    /// <param name="cursor">The <c>nextCursor</c> of the page before; null for the first.</param>
    /// <param name="limit">1 to 500.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    [Alias("migrations")]
    Task<FleetReport> ReportMigrations(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>Writes down what an operator does; one that is there gets the status of its answer.</summary>
    [Alias("record-action")]
    Task RecordAction(OperatorAction action, CancellationToken cancellationToken);

    /// <summary>A page of what operators did, newest first.</summary>
    /// <param name="cursor">The <c>nextCursor</c> of the page before; null for the first.</param>
    /// <param name="limit">1 to 500.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    [Alias("actions")]
    Task<OperatorActionPage> ListActions(string? cursor, int limit, CancellationToken cancellationToken);
}
