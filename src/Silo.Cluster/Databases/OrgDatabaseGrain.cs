using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Silo.Cluster.Placement;
using Silo.Cluster.Telemetry;
using Silo.Cluster.Warming;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Copies;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Migration;
using Silo.Storage.Usage;

namespace Silo.Cluster.Databases;

/// <summary>
/// One organization's database. The first call opens it, and all calls that come meanwhile share that one attempt; after a
/// failure there is none before the backoff is over, however many ask. Idle, it flushes first and only then goes.
/// </summary>
/// <remarks>
/// Idleness is judged here and not by Orleans' collector, which cannot be told to wait until the bucket has everything.
/// All calls interleave; what must be alone takes its turn in <see cref="IOrgDatabase"/>, so that a write that waits for the bucket
/// holds up no other write (they share its upload), and no read ever waits for a write.
/// </remarks>
[GrainType("org-database"), KeepAlive, Immovable, DatabasePlacement]
internal sealed partial class OrgDatabaseGrain(
    OrganizationCatalog catalog, OrgDatabaseOpening opening, TursoOrgDatabaseOpening turso, OrganizationCopies copies, OrganizationMigrations migrations, ImportIntake intake,
    ActiveDatabases active, UsageJournal usage, IdleTimes idleTimes,
    SiloResources resources, SiloLoads loads, IOptions<DatabaseOptions> options, ILocalSiloDetails silo, TimeProvider time, ILogger<OrgDatabaseGrain> logger)
    : Grain, IOrgDatabaseGrain
{
    /// <summary>How long an activation without a database stays to answer: it holds the backoff.</summary>
    private static readonly TimeSpan KeepWithoutDatabase = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RetryFlush = TimeSpan.FromSeconds(1);

    private readonly DatabaseOptions _options = options.Value;
    private readonly CancellationTokenSource _deactivating = new();
    private OrgActivation _activation = null!; // set in OnActivateAsync, before any call
    private OrgImports _imports = null!; // likewise
    private Task<IOrgDatabase>? _attempt;
    private bool _isCutOff;
    private long _lastLease = time.GetTimestamp();
    private Refusal? _refusal;

    private HeadOwner Owner => new(silo.ClusterId, silo.SiloAddress.ToString(), GrainContext.ActivationId.ToString());

    private sealed record Refusal(OrganizationException Exception, int Failures, long Since, TimeSpan Backoff);

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _activation = new OrgActivation(OrganizationId.Parse(this.GetPrimaryKeyString()), silo.SiloAddress.ToString(), idleTimes, usage, time);
        _activation.Imports = _imports = new OrgImports(_activation.Organization, OpenAsync, intake);
        var period = TimeSpan.FromTicks(Math.Clamp(idleTimes.Shortest.Ticks / 10, TimeSpan.FromMilliseconds(200).Ticks, TimeSpan.FromSeconds(10).Ticks));
        this.RegisterGrainTimer(PutAwayWhenIdleAsync, new GrainTimerCreationOptions(period, period));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask<JsonBytes> ListContacts(ContactListQuery query, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.UsedForRead();
        return await (await OpenAsync(cancellationToken)).ListAsync(query, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<JsonBytes> GetContact(string contactId, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.UsedForRead();
        return await (await OpenAsync(cancellationToken)).GetAsync(contactId, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<JsonBytes> CountContacts(CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.UsedForRead();
        return await (await OpenAsync(cancellationToken)).CountAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<ContactWritten> CreateContact(string contactId, ContactFields fields, Durability? durability, CancellationToken cancellationToken) =>
        WriteAsync(durability, (database, token) => database.CreateAsync(contactId, fields, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<ContactWritten> ReplaceContact(string contactId, ContactFields fields, Durability? durability, CancellationToken cancellationToken) =>
        WriteAsync(durability, (database, token) => database.ReplaceAsync(contactId, fields, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<ContactWritten> DeleteContact(string contactId, bool isRepeated, Durability? durability, CancellationToken cancellationToken) =>
        WriteAsync(durability, (database, token) => database.DeleteAsync(contactId, isRepeated, token), cancellationToken);

    /// <inheritdoc/>
    public async Task Warm(CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.Touch();
        await OpenAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task OpenAhead(TimeSpan keep, CancellationToken cancellationToken)
    {
        using var span = TracedCall.Begin();
        _activation.Keep(keep);
        await OpenAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task Deactivate(CancellationToken cancellationToken)
    {
        EnsureMayGo();
        try
        {
            if (_activation.Database is { } database) await database.FlushAsync(cancellationToken);
        }
        catch (FlushException e)
        {
            LogStaysActive(e.Message);
            throw new OrganizationException(OrganizationErrorCode.DurabilityUnavailable, "The bucket does not confirm the last commits; the database stays active.") { RetryAfter = RetryFlush };
        }
        EnsureMayGo(); // one may have begun while the bucket was waited for
        DeactivateOnIdle();
    }

    private void EnsureMayGo()
    {
        if (IsMigrating) throw new OrganizationException(OrganizationErrorCode.MigrationInProgress, "The organization is being migrated, which must end first.");
        if (IsRestoring) throw new OrganizationException(OrganizationErrorCode.RestoreInProgress, "A restore of this organization runs, which must end first.");
    }

    /// <inheritdoc/>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _activation.State = DatabaseState.Deactivating;
        await _deactivating.CancelAsync();
        try
        {
            await _imports.DisposeAsync();
            await _migrating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            await _restoring.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (_attempt is { } attempt) await ((Task)attempt).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (_activation.Database is { } database) await PutAwayAsync(database, reason, cancellationToken);
        }
        catch (Exception e)
        {
            // The end of the activation: there is no caller who could handle it.
            active.Kept.Add(_activation.Organization);
            LogNotPutAway(_activation.Organization, e);
            // Left open, it would keep the lease for ever, and nobody could have the organization.
            if (_activation.Database is { } left) await left.AbandonAsync();
        }
        finally
        {
            active.Remove(_activation);
            _activation.Ended();
            _deactivating.Dispose();
        }
    }

    private async ValueTask<ContactWritten> WriteAsync(
        Durability? requested, Func<IOrgDatabase, CancellationToken, Task<CommittedContact>> write, CancellationToken cancellationToken, [CallerMemberName] string method = "")
    {
        using var span = TracedCall.Begin(method);
        _activation.UsedForWrite();
        var database = await OpenAsync(cancellationToken);
        var durability = requested ?? _activation.Durability;
        if (durability < database.LeastDurability) durability = database.LeastDurability;
        var done = await write(database, cancellationToken);
        if (durability == Durability.Replicated) await database.WaitReplicatedAsync(done.Commit, cancellationToken);
        return new ContactWritten(done.Contact, done.Id, durability);
    }

    private ValueTask<IOrgDatabase> OpenAsync(CancellationToken cancellationToken)
    {
        if (_activation.Database is { } database) return new(database);
        if (_refusal is { } refusal && refusal.Backoff - time.GetElapsedTime(refusal.Since) is { Ticks: > 0 } left)
            throw new OrganizationException(refusal.Exception.Code, refusal.Exception.Message) { RetryAfter = left };
        // The attempt is everybody's: who gives up waiting does not end it for the others.
        return new((_attempt ??= AttemptAsync()).WaitAsync(cancellationToken));
    }

    private async Task<IOrgDatabase> AttemptAsync()
    {
        await Task.Yield(); // so that _attempt is set before it can end
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_deactivating.Token);
            limit.CancelAfter(_options.ActivationTimeout);
            var phases = new ActivationPhases(time);
            var organization = await FindAsync(_activation.Organization, limit.Token);
            phases.Done("catalog");
            await active.AddAsync(_activation, limit.Token);
            phases.Done("room");
            _activation.State = DatabaseState.Activating;
            IOrgDatabase database = organization.DbType == OrganizationDbType.Turso
                ? await turso.OpenAsync(organization, Owner, phases, limit.Token)
                : await opening.OpenAsync(organization, Owner, phases, limit.Token);
            // Whoever sets it goes on without this activation, if it was frozen for so long that it lost the lease.
            if (organization.IsDbProvisioning && database is OrgDatabase file) file.FollowCatalog(organization, catalog);
            _activation.Durability = organization.Durability;
            _refusal = null;
            _activation.Opened(database, phases);
            LeaveWhenMovedAsync(database).Ignore();
            _imports.Resume();
            return database;
        }
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.OrganizationNotFound)
        {
            throw;
        }
        catch (CatalogException e)
        {
            LogCatalog(_activation.Organization, e.Message);
            throw Refuse(new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The catalog of organizations cannot be used now.", e));
        }
        catch (Exception e) when (e is not OrganizationException)
        {
            LogUnexpected(_activation.Organization, e);
            throw Refuse(new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database could not be opened because of an unexpected error.", e));
        }
        catch (OrganizationException e)
        {
            throw Refuse(e);
        }
        finally
        {
            _attempt = null;
        }
    }

    private async Task<Organization> FindAsync(OrganizationId id, CancellationToken cancellationToken) =>
        await catalog.FindAsync(id, cancellationToken)
            ?? throw new OrganizationException(OrganizationErrorCode.OrganizationNotFound, "There is no such organization.");

    private OrganizationException Refuse(OrganizationException cause)
    {
        var failures = (_refusal?.Failures ?? 0) + 1;
        // Who knows when it will work says so: a lease that runs out, a file that is being put away.
        var backoff = cause.RetryAfter ?? TimeSpan.FromTicks(Math.Min(_options.RetryBackoff.Ticks << Math.Min(failures - 1, 20), _options.MaxRetryBackoff.Ticks));
        _refusal = new Refusal(cause, failures, time.GetTimestamp(), backoff);
        _activation.Refused(cause.Message);
        return new OrganizationException(cause.Code, cause.Message) { RetryAfter = backoff };
    }

    private async Task LeaveWhenMovedAsync(IOrgDatabase database)
    {
        await database.Moved;
        // A migration here puts the next one in its place.
        await _migrating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (_activation.State == DatabaseState.Active && _activation.Database == database) DeactivateOnIdle();
    }

    private async Task PutAwayWhenIdleAsync(CancellationToken cancellationToken)
    {
        if (IsMigrating || IsRestoring)
        {
            _activation.Touch();
            return;
        }
        if (_attempt is not null) return;
        if (_activation.Database is not { } database)
        {
            var backoff = _refusal?.Backoff ?? TimeSpan.Zero;
            var keep = _restore is null ? KeepWithoutDatabase : KeepRestore;
            if (_activation.Idle > (backoff > keep ? backoff : keep)) DeactivateOnIdle();
            return;
        }
        if (database.IsMoved)
        {
            DeactivateOnIdle();
            return;
        }
        // It cannot write, nor become able to, and another silo could.
        if (database.LeaseLeft > TimeSpan.Zero) _lastLease = time.GetTimestamp();
        else if (resources.IsCutOff && loads.AnyReachesTheBucket && (database.IsFlushed || time.GetElapsedTime(_lastLease) > _options.CutOffPatience))
        {
            _isCutOff = true;
            DeactivateOnIdle();
            return;
        }
        if (_imports.IsBusy || database.IsCopied) _activation.Touch();
        if (!IsIdle) return;
        try
        {
            await database.FlushAsync(cancellationToken);
        }
        catch (FlushException e)
        {
            LogStaysActive(e.Message);
            return;
        }
        // A request may have come while the bucket was waited for.
        if (IsIdle && database.IsFlushed) DeactivateOnIdle();
    }

    private bool IsIdle => _activation.Idle >= _activation.IdleTimeout;

    /// <summary>Closes the database, or, if the bucket has not confirmed everything after the time for that, leaves its files here.</summary>
    private async Task PutAwayAsync(IOrgDatabase database, DeactivationReason reason, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_isCutOff ? TimeSpan.Zero : _options.FlushTimeout);
        while (!limit.IsCancellationRequested)
        {
            try
            {
                await database.CloseAsync(limit.Token);
                LogPutAway(_activation.Organization, reason.ReasonCode);
                return;
            }
            catch (FlushException e)
            {
                LogStaysActive(e.Message);
                await Task.Delay(RetryFlush, time, limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
        await database.AbandonAsync();
        active.Kept.Add(_activation.Organization);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: put away ({Reason})")]
    private partial void LogPutAway(OrganizationId organization, DeactivationReasonCode reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Problem}")]
    private partial void LogStaysActive(string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: could not be put away; its file stays in the data folder")]
    private partial void LogNotPutAway(OrganizationId organization, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the catalog cannot be used: {Problem}")]
    private partial void LogCatalog(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: unexpected error while the database was opened")]
    private partial void LogUnexpected(OrganizationId organization, Exception exception);
}
