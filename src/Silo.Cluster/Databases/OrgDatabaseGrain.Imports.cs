using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    /// <inheritdoc/>
    public Task<ImportStatus?> PrepareImport(string importId, CancellationToken cancellationToken)
    {
        _activation.Touch();
        return _imports.PrepareAsync(importId, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ImportStatus> BeginImport(StagedImport import, CancellationToken cancellationToken)
    {
        _activation.UsedForWrite();
        return _imports.BeginAsync(import, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ImportStatus> FindImport(string importId, TimeSpan wait, CancellationToken cancellationToken)
    {
        _activation.Touch();
        return _imports.FindAsync(importId, wait < OrgDatabaseTimeouts.MaxImportWait ? wait : OrgDatabaseTimeouts.MaxImportWait, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<JsonBytes> ListAudit(AuditQuery query, CancellationToken cancellationToken)
    {
        _activation.UsedForRead();
        return await (await OpenAsync(cancellationToken)).ListAuditAsync(query, cancellationToken);
    }
}
