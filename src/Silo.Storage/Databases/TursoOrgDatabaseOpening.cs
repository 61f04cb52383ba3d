using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Lease;
using Silo.Storage.Telemetry;
using Silo.Storage.Turso;

namespace Silo.Storage.Databases;

/// <summary>Opens the database of an organization whose rows live on Turso: no lease, no file, one look at its table.</summary>
public sealed class TursoOrgDatabaseOpening(
    TursoClient client, OrganizationCatalog catalog, BucketClient bucket, DataDirectoryLock directory, KnownDeaths deaths, IOptions<DatabaseOptions> options,
    ActivationMetrics activations, DatabaseMetrics metrics, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>Opens it.</summary>
    /// <param name="organization">Its row of the catalog.</param>
    /// <param name="owner">This activation, for the lease that an import takes.</param>
    /// <param name="phases">Receives how long each phase took, in milliseconds.</param>
    /// <param name="cancellationToken">Gives up; nothing stays open.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>, whatever the cause, which is inside.</exception>
    public async Task<TursoOrgDatabase> OpenAsync(Organization organization, HeadOwner owner, ActivationPhases phases, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(organization);
        ArgumentNullException.ThrowIfNull(phases);
        using var span = SiloActivities.Start("activate", organization.Id);
        var logger = loggers.CreateLogger("Silo.Storage.Database");
        try
        {
            var remote = client.Open(organization.Id, TursoAddress.Parse(organization.TursoUrl), organization.TursoSecret);
            var database = new TursoOrgDatabase(
                remote, new CatalogWatch(organization, catalog, time), new TursoImportLock(organization.Id, owner with { DataDirectoryId = directory.Identity }, bucket, deaths, time, loggers),
                options.Value, time, logger, metrics);
            await database.LookAsync(cancellationToken);
            phases.Done("open");
            activations.Opened(phases, ActivationMetrics.Connected);
            return database;
        }
        catch (TursoException e)
        {
            activations.Failed(phases, e);
            throw TursoRefusal.Of(organization.Id, e, isWrite: false, logger);
        }
        catch (OperationCanceledException e)
        {
            activations.Failed(phases, e);
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The organization's database server did not answer in time.", e);
        }
    }
}
