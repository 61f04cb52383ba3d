using Silo.Cluster.Telemetry;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    /// <inheritdoc/>
    public async Task<ImportStatus?> PrepareImport(string importId, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.Touch();
        return await _imports.PrepareAsync(importId, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ImportStatus> BeginImport(StagedImport import, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.UsedForWrite();
        return await _imports.BeginAsync(import, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ImportStatus> FindImport(string importId, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.Touch();
        return await _imports.FindAsync(importId, wait < OrgDatabaseTimeouts.MaxImportWait ? wait : OrgDatabaseTimeouts.MaxImportWait, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<JsonBytes> ListAudit(AuditQuery query, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.UsedForRead();
        return await (await OpenAsync(cancellationToken)).ListAuditAsync(query, cancellationToken);
    }
}
