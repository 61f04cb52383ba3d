using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    /// <inheritdoc/>
    public async Task<Guid> BeginExport(CancellationToken cancellationToken)
    {
        _activation.UsedForRead();
        if (await OpenAsync(cancellationToken) is not OrgDatabase)
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "The organization lives on Turso: only a database in a file can be exported. Use Turso's own dump, or migrate it first.");
        // A grain of its own on this silo: what is fetched for minutes must not depend on how long the database is in use.
        var export = Guid.NewGuid();
        await GrainFactory.GetGrain<IExportGrain>(export).Begin(_activation.Organization);
        return export;
    }
}
