using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Migration;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    private MigrationRun? _migration;
    private bool _isBeginningMigration;
    private Task _migrating = Task.CompletedTask;

    private bool IsMigrating => _isBeginningMigration || _migration is { IsRunning: true };

    /// <inheritdoc/>
    public async Task<MigrationStatus> Migrate(MigrationRequest request, CancellationToken cancellationToken)
    {
        _activation.Touch();
        if (IsMigrating) throw new OrganizationException(OrganizationErrorCode.MigrationInProgress, "A migration, verification or rollback of this organization runs already. GET at this path tells how far it is.");
        if (IsRestoring) throw new OrganizationException(OrganizationErrorCode.RestoreInProgress, "A restore of this organization runs.");
        if (_imports.IsBusy) throw new OrganizationException(OrganizationErrorCode.ImportInProgress, "An import of this organization runs. Migrate it when that is done.");
        _isBeginningMigration = true;
        try
        {
            var organization = await AskCatalog(FindAsync(_activation.Organization, cancellationToken));
            if (request.Kind == MigrationKind.Migrate && organization.DbType == OrganizationDbType.Sqlite
                && await AskCatalog(migrations.FindAsync(organization.Id, cancellationToken)) is { IsRunning: false, FlippedAt: not null } done) return done;
            // What serves must be open before anything is begun: a stale activation finds out here that it is one.
            if (request.Kind != MigrationKind.Inspect) await OpenAsync(cancellationToken);
            _migration = await AskCatalog(migrations.BeginAsync(organization, request.Kind, cancellationToken));
            _migrating = RunAsync(_migration, request);
            return _migration.Status;
        }
        finally
        {
            _isBeginningMigration = false;
        }
    }

    /// <inheritdoc/>
    public async Task<MigrationStatus?> FindMigration(CancellationToken cancellationToken) =>
        // Once it has ended, the catalog alone knows: another silo may have gone on.
        _migration is { IsRunning: true } running ? running.Status : await AskCatalog(migrations.FindAsync(_activation.Organization, cancellationToken));

    private async Task RunAsync(MigrationRun run, MigrationRequest request)
    {
        await Task.Yield(); // so that the caller has taken note of it
        await using (run)
        {
            switch (request.Kind, _activation.Database)
            {
                case (MigrationKind.Inspect, _):
                    await run.InspectAsync(_deactivating.Token);
                    break;
                case (MigrationKind.Migrate or MigrationKind.Rehearse, TursoOrgDatabase turso):
                    var phases = new ActivationPhases(time);
                    if (await run.MigrateAsync(turso, Owner, phases, _deactivating.Token) is not { } moved) break;
                    _activation.Opened(moved, phases);
                    LeaveWhenMovedAsync(moved).Ignore();
                    await turso.CloseAsync(CancellationToken.None);
                    break;
                case (MigrationKind.Verify, OrgDatabase file):
                    await run.VerifyAsync(file, _deactivating.Token);
                    break;
                case (MigrationKind.RollBack, OrgDatabase file):
                    // Put away, and opened where it is now by the next call.
                    if (await run.RollBackAsync(file, request.DiscardNewWrites, _deactivating.Token)) DeactivateOnIdle();
                    break;
                default:
                    await run.GiveUpAsync("the organization was moved at the same moment.");
                    DeactivateOnIdle();
                    break;
            }
        }
    }

    private async Task<T> AskCatalog<T>(Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (CatalogException e)
        {
            LogCatalog(_activation.Organization, e.Message);
            throw new OrganizationException(OrganizationErrorCode.ClusterUnavailable, "The catalog of organizations cannot be used now. Try again.", e) { RetryAfter = RetryFlush };
        }
    }
}
