using Orleans.Concurrency;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;

namespace Silo.Cluster.Organizations;

/// <summary>Carries the catalog over the wire: only silos know where it is.</summary>
[StatelessWorker, GrainType("catalog")]
internal sealed partial class CatalogGrain(OrganizationCatalog catalog, ILogger<CatalogGrain> logger) : Grain, ICatalogGrain
{
    /// <inheritdoc/>
    public Task<OrganizationPage> ListOrganizations(OrganizationDbType? dbType, string? cursor, int limit, CancellationToken cancellationToken) =>
        Ask(catalog.ListAsync(dbType, cursor, limit, cancellationToken));

    /// <inheritdoc/>
    public Task<Organization?> GetOrganization(OrganizationId id, CancellationToken cancellationToken) => Ask(catalog.FindAsync(id, cancellationToken));

    /// <inheritdoc/>
    public Task<Organization> CreateOrganization(NewOrganization organization, CancellationToken cancellationToken) =>
        Ask(catalog.AddAsync(organization, cancellationToken));

    /// <inheritdoc/>
    public Task<FleetReport> ReportMigrations(string? cursor, int limit, CancellationToken cancellationToken) =>
        Ask(catalog.ReportMigrationsAsync(cursor, limit, cancellationToken));

    /// <inheritdoc/>
    public Task RecordAction(OperatorAction action, CancellationToken cancellationToken) => Ask(RecordAsync(action, cancellationToken));

    /// <inheritdoc/>
    public Task<OperatorActionPage> ListActions(string? cursor, int limit, CancellationToken cancellationToken) => Ask(catalog.ListActionsAsync(cursor, limit, cancellationToken));

    private async Task<bool> RecordAsync(OperatorAction action, CancellationToken cancellationToken)
    {
        await catalog.RecordAsync(action, cancellationToken);
        return true;
    }

    private async Task<T> Ask<T>(Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (CatalogException e)
        {
            // What the catalog says names files of ours; the caller only needs to know that it is not their fault.
            LogUnavailable(e.Message);
            throw new OrganizationException(OrganizationErrorCode.ClusterUnavailable, "The catalog of organizations cannot be used now. Try again.") { RetryAfter = TimeSpan.FromSeconds(2) };
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalog cannot be used: {Problem}")]
    private partial void LogUnavailable(string problem);
}
