using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>The way back to Turso, where everything is as it was.</summary>
public sealed partial class MigrationRun
{
    /// <summary>Moves the organization back to Turso. What was written since it was moved from there is exported, and refused unless it is to be left behind.</summary>
    /// <param name="database">The open database in SQLite. It serves on; afterwards it is only to be put away.</param>
    /// <param name="discardNewWrites">Goes back all the same.</param>
    /// <param name="cancellationToken">Gives up, unless the organization was moved.</param>
    /// <returns>Whether it was moved.</returns>
    public Task<bool> RollBackAsync(OrgDatabase database, bool discardNewWrites, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(database);
        return RunAsync(
            async token =>
            {
                // Turso must be there to go back to.
                await OpenSource().QueryAsync(new TursoStatement("SELECT 1"), token);
                await FreezeAsync(
                    OrganizationDbType.Sqlite,
                    async flush =>
                    {
                        database.FollowCatalog(_organization, _tools.Catalog);
                        await database.FlushAsync(flush);
                        await database.WaitReplicatedAsync(0, flush); // and it is still ours
                    },
                    token);
                using var frozen = LimitFreeze(token);
                await AtAsync(MigrationStep.Verifying, frozen.Token);
                await ExportChangesAsync(database, frozen.Token);
                if (_report.WritesSinceMove is { Any: true } since && !discardNewWrites)
                {
                    throw Refused(
                        $"since the organization was moved, {since.Added} contacts were added, {since.Changed} changed and {since.Removed} removed, and the audit trail got {since.AuditEntries} entries, "
                        + $"of which Turso has nothing. All of it is in the object {since.Object} of the bucket. Go back all the same with discardNewWrites (silo migrate --rollback --discard-new-writes).");
                }
                await database.WaitReplicatedAsync(0, frozen.Token);
                await MoveAsync(() => _tools.Catalog.FlipToTursoAsync(Id, Operation, Frozen(), CancellationToken.None), MigrationStep.RolledBack, frozen.Token);
                return true;
            },
            cancellationToken);
    }

    /// <summary>Counts what was written since the organization was moved, and puts all of the database where it can be found again.</summary>
    private async Task ExportChangesAsync(OrgDatabase database, CancellationToken cancellationToken)
    {
        var copy = Path.Combine(Temporary, "before-rollback.db");
        await database.CopyAsync(copy, _tools.Options.MaxFreeze, cancellationToken);
        var since = await Task.Run(() => MovedDatabase.ChangesSinceMove(copy), CancellationToken.None);
        if (since.Any)
        {
            since = since with { Object = $"rollbacks/{Id}/{Operation}.db" };
            await using var content = new FileStream(copy, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous | FileOptions.SequentialScan);
            await _tools.Bucket.UploadAsync(since.Object, content, "application/vnd.sqlite3", cancellationToken);
        }
        Found(_report with { WritesSinceMove = since });
    }
}
