using Silo.Cluster.Telemetry;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    private static readonly TimeSpan RestoreRetry = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async Task<ImportStatus?> PrepareImport(string importId, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.Touch();
        EnsureTakesImports();
        return await _imports.PrepareAsync(importId, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ImportStatus> BeginImport(StagedImport import, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.UsedForWrite();
        EnsureTakesImports();
        return await _imports.BeginAsync(import, cancellationToken);
    }

    private void EnsureTakesImports()
    {
        if (_restore is { State: RestoreState.Running, DryRun: false })
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "An older state of the database is being restored, and takes in nothing until it is there.") { RetryAfter = RestoreRetry };
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
