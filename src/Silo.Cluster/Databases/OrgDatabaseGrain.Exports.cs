using Silo.Contracts.Databases;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    /// <inheritdoc/>
    public async Task<Guid> BeginExport(CancellationToken cancellationToken)
    {
        _activation.UsedForRead();
        await OpenAsync(cancellationToken);
        // A grain of its own on this silo: what is fetched for minutes must not depend on how long the database is in use.
        var export = Guid.NewGuid();
        await GrainFactory.GetGrain<IExportGrain>(export).Begin(_activation.Organization);
        return export;
    }
}
