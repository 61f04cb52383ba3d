using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;

namespace Silo.Gateway.Clustering;

/// <summary>The grains that the gateway calls. Making a reference calls nobody.</summary>
internal sealed class SiloGrains(IGrainFactory grains)
{
    /// <summary>The catalog of organizations.</summary>
    public ICatalogGrain Catalog => Known(static grains => grains.GetGrain<ICatalogGrain>(0));

    /// <summary>The active databases of all silos.</summary>
    public IActiveDatabasesGrain ActiveDatabases => Known(static grains => grains.GetGrain<IActiveDatabasesGrain>(0));

    /// <summary>The leases in the bucket.</summary>
    public ILocksGrain Locks => Known(static grains => grains.GetGrain<ILocksGrain>(0));

    /// <summary>An organization's database.</summary>
    public IOrgDatabaseGrain Database(OrganizationId organization) =>
        Known(grains => grains.GetGrain<IOrgDatabaseGrain>(organization.Value));

    /// <summary>An export that its database has begun.</summary>
    public IExportGrain Export(Guid key) => Known(grains => grains.GetGrain<IExportGrain>(key));

    private TGrain Known<TGrain>(Func<IGrainFactory, TGrain> get)
    {
        try
        {
            return get(grains);
        }
        // Which grains exist is told by the silos; before the first of them has answered, Orleans knows none and says so like this.
        catch (ArgumentException exception)
        {
            throw new OrganizationException(OrganizationErrorCode.ClusterUnavailable, "The gateway has not reached its cluster yet.", exception);
        }
    }
}
