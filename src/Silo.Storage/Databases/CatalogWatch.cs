using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;

namespace Silo.Storage.Databases;

/// <summary>
/// Keeps an open database on Turso from serving what the catalog says otherwise by now. Nobody owns such a database, so the catalog's row is
/// what tells whether it is being migrated, or was: a write looks at it before and after (below a millisecond each, beside a request over
/// the network), a read when the last look is <see cref="MaxAge"/> old.
/// </summary>
internal sealed class CatalogWatch(Organization opened, OrganizationCatalog catalog, TimeProvider time)
{
    /// <summary>How old what reads rely on may be.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan MigrationPoll = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lookedAt = time.GetTimestamp();

    /// <summary>Completes when the organization is not served from this database any more.</summary>
    public Task Moved => _moved.Task;

    /// <summary>Refuses a read once the organization was moved. While the catalog cannot be used, reads go on.</summary>
    public async ValueTask BeforeReadAsync(CancellationToken cancellationToken)
    {
        if (_moved.Task.IsCompleted) throw MovedAway();
        if (time.GetElapsedTime(Interlocked.Read(ref _lookedAt)) < MaxAge) return;
        try
        {
            await LookAsync(cancellationToken);
        }
        catch (CatalogException)
        {
            // Whoever migrates it needs the catalog too. The next write says that it cannot be used.
        }
    }

    /// <summary>Refuses a write once the organization was moved, and while it is being migrated.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.DatabaseProvisioning"/>, or <see cref="OrganizationErrorCode.DatabaseUnavailable"/>; nothing was done.
    /// </exception>
    public async Task BeforeWriteAsync(CancellationToken cancellationToken)
    {
        if (_moved.Task.IsCompleted) throw MovedAway();
        try
        {
            if ((await LookAsync(cancellationToken)).IsDbProvisioning)
                throw new OrganizationException(OrganizationErrorCode.DatabaseProvisioning, "The organization is being migrated. Reads go on; send the change again in a moment.") { RetryAfter = MigrationPoll };
        }
        catch (CatalogException e)
        {
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The catalog of organizations cannot be used now, so nothing is written. Reads go on.", e) { RetryAfter = MigrationPoll };
        }
    }

    /// <summary>
    /// Confirms what the server has committed. The look before it was sent may have come just before a migration of another cluster, which
    /// waits for its own writes alone, and the commit after that one's last comparison. Only a look that begins after the commit tells.
    /// </summary>
    /// <param name="ownMigration">The migration that waits for the writes of this activation before it compares for the last time; null for none.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationException.MayHaveHappened"/>: it may be in the place that counts, or not.</exception>
    public async Task AfterWriteAsync(string? ownMigration)
    {
        try
        {
            if (!(await LookAsync(CancellationToken.None)).IsDbProvisioning) return;
            // One operation at a time has the organization: if that is ours, no other one can have passed this write by.
            if (ownMigration is not null && await catalog.FindMigrationAsync(opened.Id, CancellationToken.None) is { IsRunning: true } running && running.OperationId == ownMigration) return;
        }
        catch (Exception e) when (e is OrganizationException or CatalogException)
        {
            throw Unconfirmed(e);
        }
        throw Unconfirmed(null);
    }

    private async Task<Organization> LookAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var row = await catalog.FindAsync(opened.Id, cancellationToken);
        if (row is null || row.DbType != opened.DbType || row.TursoUrl != opened.TursoUrl || row.TursoSecret != opened.TursoSecret)
        {
            _moved.TrySetResult();
            throw MovedAway();
        }
        Interlocked.Exchange(ref _lookedAt, began);
        return row;
    }

    /// <summary>Nothing was done, and the activation goes at once: the same call finds the new place.</summary>
    private static OrganizationException MovedAway() =>
        new(OrganizationErrorCode.DatabaseUnavailable, "The organization's database was moved; it is being opened where it is now.") { RetryAfter = TimeSpan.FromMilliseconds(100) };

    private static OrganizationException Unconfirmed(Exception? cause) =>
        new(OrganizationErrorCode.DatabaseUnavailable, "The organization was migrated while the change was made: it may or may not be where the organization is now. Read before you send it again.", cause)
        {
            RetryAfter = MigrationPoll,
            MayHaveHappened = true,
        };
}
