using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    /// <summary>How long the outcome of a restore can be asked for while no database is open.</summary>
    private static readonly TimeSpan KeepRestore = TimeSpan.FromMinutes(5);

    private RestoreStatus? _restore;
    private Task _restoring = Task.CompletedTask;

    private bool IsRestoring => _restore is { State: RestoreState.Running };

    /// <inheritdoc/>
    public Task<RestoreStatus> Restore(DateTimeOffset at, bool dryRun, CancellationToken cancellationToken) => RestoreAsync(
        new RestoreStatus { Organization = _activation.Organization, State = RestoreState.Running, DryRun = dryRun, At = at, StartedAt = time.GetUtcNow() },
        GoBackAsync, cancellationToken);

    private async Task<RestoreStatus> RestoreAsync(RestoreStatus begun, Func<RestoreStatus, Task<RestoreStatus>> restore, CancellationToken cancellationToken)
    {
        _activation.Touch();
        if (IsRestoring)
            throw new OrganizationException(OrganizationErrorCode.RestoreInProgress, "A restore of this organization runs already.");
        if (IsMigrating) throw new OrganizationException(OrganizationErrorCode.MigrationInProgress, "The organization is being migrated, which must end first.");
        _restore = begun;
        var running = RunAsync(begun, restore);
        _restoring = running;
        try
        {
            // Not noted here: by now the next one may have begun.
            return await running.WaitAsync(OrgDatabaseTimeouts.RestoreWait, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return _restore;
        }
    }

    /// <inheritdoc/>
    public Task<RestoreStatus?> FindRestore(CancellationToken cancellationToken)
    {
        _activation.Touch();
        return Task.FromResult(_restore);
    }

    /// <summary>Runs to its end whoever waits.</summary>
    private async Task<RestoreStatus> RunAsync(RestoreStatus begun, Func<RestoreStatus, Task<RestoreStatus>> restore)
    {
        await Task.Yield(); // so that the caller has taken note of it
        try
        {
            return _restore = await restore(begun) with { State = RestoreState.Completed, FinishedAt = time.GetUtcNow() };
        }
        catch (Exception e)
        {
            // The boundary of the turn: whoever polls must see an end.
            _restore = begun with
            {
                State = RestoreState.Failed,
                FinishedAt = time.GetUtcNow(),
                Problem = e is OrganizationException ? e.Message : "The restore failed because of an unexpected error.",
            };
            if (e is not OrganizationException) LogUnexpected(_activation.Organization, e);
            throw;
        }
    }

    private async Task<RestoreStatus> GoBackAsync(RestoreStatus restore)
    {
        var organization = WithPast(await FindAsync(_activation.Organization, _deactivating.Token));
        if (!restore.DryRun)
        {
            // None is accepted from here on.
            if (await HasImportsAsync(_deactivating.Token))
                throw new OrganizationException(OrganizationErrorCode.ImportInProgress, "An import of this organization is not done, and would go on in the state that is restored. Restore when it is done.");
            await FlushTruthAsync();
        }
        await using var past = await opening.BringBackAsync(organization, restore.At, _deactivating.Token);
        restore = restore with { Epoch = past.Epoch, Generation = past.Generation, StateAt = past.StateAt, Contacts = past.Contacts };
        return restore.DryRun ? restore : restore with { NewEpoch = await ReplaceAsync(organization, past) };
    }

    private async Task<bool> HasImportsAsync(CancellationToken cancellationToken)
    {
        if (!await _imports.AnyAcceptedAsync(cancellationToken)) return false;
        try
        {
            await OpenAsync(cancellationToken);
            return true;
        }
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.DatabaseUnavailable)
        {
            // It cannot end in a database that does not open, and a restore may be what mends that.
            return false;
        }
    }

    /// <summary>An organization whose past is in the bucket.</summary>
    private static Organization WithPast(Organization organization) => organization.DbType == OrganizationDbType.Sqlite
        ? organization
        : throw new OrganizationException(OrganizationErrorCode.RestorePointNotFound, "The organization lives on Turso, which keeps its past itself: restore it there.");

    /// <summary>
    /// What is the truth now is to stay in the bucket, also what only this machine has of it. A database that cannot be opened is what
    /// this is mostly for; then its files, if there are any here, are set aside. One that cannot be opened just now has to be waited for.
    /// </summary>
    private async Task FlushTruthAsync()
    {
        try
        {
            var database = _activation.Database;
            if (database is null && opening.HasLeftovers(_activation.Organization)) database = await OpenAsync(_deactivating.Token);
            if (database is not null) await database.FlushAsync(_deactivating.Token);
        }
        catch (FlushException e)
        {
            throw new OrganizationException(OrganizationErrorCode.DurabilityUnavailable, "The bucket does not confirm the last commits; the database stays as it is.", e) { RetryAfter = RetryFlush };
        }
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.DatabaseUnavailable && IsFinal((_refusal?.Exception ?? e).InnerException))
        {
            LogTruthNotOpened(_activation.Organization, e.Message);
        }
    }

    /// <summary>Whether it will not open however long it is waited for. A full silo, a full disk, the bucket and a lease may pass.</summary>
    private static bool IsFinal(Exception? cause) =>
        cause is HeadException or ReplicaIncompleteException or LitestreamException or SchemaException or SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB };

    /// <summary>Puts the database away and opens the state in its place; calls that come meanwhile wait as for any opening.</summary>
    /// <returns>The epoch of it.</returns>
    private async Task<long> ReplaceAsync(Organization organization, PastState past)
    {
        while (_attempt is { } running) await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        var replacing = _attempt = ReplaceInTurnAsync(organization, past);
        return (await replacing).Status().Epoch!.Value;
    }

    private async Task<IOrgDatabase> ReplaceInTurnAsync(Organization organization, PastState past)
    {
        await Task.Yield(); // so that _attempt is set before it can end
        var before = _activation.Database;
        try
        {
            if (before is null) await active.AddAsync(_activation, _deactivating.Token);
            _activation.Replacing();
            if (before is not null) await before.CloseAsync(_deactivating.Token);
            before = null;
            var phases = new ActivationPhases(time);
            var database = await opening.OpenPastAsync(organization, past, Owner, phases, _deactivating.Token);
            _activation.Durability = organization.Durability;
            _refusal = null;
            _activation.Opened(database, phases);
            LeaveWhenMovedAsync(database).Ignore();
            return database;
        }
        catch (FlushException e)
        {
            // It serves on, and so the truth is what it was.
            _activation.Opened(before!, new ActivationPhases(time));
            throw new OrganizationException(OrganizationErrorCode.DurabilityUnavailable, "The bucket does not confirm the last commits; the database stays as it is.", e) { RetryAfter = RetryFlush };
        }
        catch (OrganizationException e)
        {
            throw Refuse(e);
        }
        catch (Exception e)
        {
            // One that is open and that nobody knows would keep its lease for ever; what only it has is in its file, for the next call.
            if (before is not null) await before.AbandonAsync();
            LogUnexpected(_activation.Organization, e);
            throw Refuse(new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The state could not be put in its place because of an unexpected error.", e));
        }
        finally
        {
            _attempt = null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the truth cannot be opened before an older state takes its place: {Problem}")]
    private partial void LogTruthNotOpened(OrganizationId organization, string problem);
}
