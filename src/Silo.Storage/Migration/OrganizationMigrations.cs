using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>
/// Moves organizations from Turso to SQLite, and back. Of one organization there is one operation at a time, whichever silo and cluster it
/// runs on: the catalog knows which (<see cref="OrganizationCatalog.BeginMigrationAsync"/>).
/// </summary>
public sealed class OrganizationMigrations
{
    private readonly SemaphoreSlim _places;
    private readonly OrganizationCatalog _catalog;

    /// <summary>Made once per silo.</summary>
    public OrganizationMigrations(
        TursoClient turso, OrgDatabaseOpening opening, OrganizationCatalog catalog, BucketClient bucket, IOptions<DatabaseOptions> databases, IOptions<MigrationOptions> options,
        IMeterFactory meters, TimeProvider time, ILoggerFactory loggers)
    {
        _catalog = catalog;
        _places = new SemaphoreSlim(options.Value.MaxConcurrent, options.Value.MaxConcurrent);
        Tools = new MigrationTools(turso, opening, catalog, bucket, databases.Value.DataDirectory, options.Value, new MigrationMetrics(meters), time, _places, loggers.CreateLogger("Silo.Storage.Migration"));
    }

    internal MigrationTools Tools { get; }

    /// <summary>Begins an operation.</summary>
    /// <param name="organization">Its row of the catalog.</param>
    /// <param name="kind">What.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The run, of which nothing is done yet.</returns>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.MigrationInProgress"/>: another one runs. <see cref="OrganizationErrorCode.InvalidRequest"/>: the
    /// organization is not where this could begin.
    /// </exception>
    /// <exception cref="CatalogException">The catalog cannot be used.</exception>
    public async Task<MigrationRun> BeginAsync(Organization organization, MigrationKind kind, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(organization);
        var before = await _catalog.FindMigrationAsync(organization.Id, cancellationToken);
        if (WhyNot(organization, kind, before) is { } reason) throw new OrganizationException(OrganizationErrorCode.InvalidRequest, reason);
        var operation = Guid.CreateVersion7(Tools.Time.GetUtcNow()).ToString();
        if (!await _catalog.BeginMigrationAsync(organization.Id, operation, kind, Tools.Options.DeadAfter, cancellationToken))
            throw new OrganizationException(OrganizationErrorCode.MigrationInProgress, "A migration, verification or rollback of this organization runs already. GET at this path tells how far it is.");
        var now = Tools.Time.GetUtcNow();
        return new MigrationRun(Tools, organization, new MigrationStatus
        {
            Organization = organization.Id,
            OperationId = operation,
            Kind = kind,
            Step = MigrationStep.Preflight,
            StartedAt = now,
            RenewedAt = now,
            FlippedAt = before?.FlippedAt,
            VerifiedAt = before?.VerifiedAt,
        });
    }

    /// <summary>What is known of an organization's last one; null when there was none.</summary>
    /// <exception cref="CatalogException">The catalog cannot be used.</exception>
    public Task<MigrationStatus?> FindAsync(OrganizationId organization, CancellationToken cancellationToken) => _catalog.FindMigrationAsync(organization, cancellationToken);

    private string? WhyNot(Organization organization, MigrationKind kind, MigrationStatus? before) => (kind, organization.DbType) switch
    {
        (MigrationKind.Inspect or MigrationKind.Rehearse or MigrationKind.Migrate, OrganizationDbType.Sqlite) => "The organization lives in SQLite already.",
        (MigrationKind.Verify or MigrationKind.RollBack, OrganizationDbType.Turso) => "The organization lives on Turso: there is nothing to compare or to go back from.",
        (MigrationKind.Verify or MigrationKind.RollBack, _) when before?.FlippedAt is null || organization.TursoUrl is null => "The organization was never moved from Turso.",
        (MigrationKind.RollBack, _) when Tools.Time.GetUtcNow() - before.FlippedAt > Tools.Options.RollbackWithin =>
            $"The organization was moved more than {Tools.Options.RollbackWithin.TotalDays:0.#} days ago (Migration:RollbackWithin).",
        (_, _) when organization.IsDbProvisioning && before is not { IsRunning: true } =>
            "The catalog says that the organization is being provisioned (is_db_provisioning = 1), and not by a migration of this system. Set it to 0 when whoever does that is done.",
        _ => null,
    };
}

/// <summary>What every run needs.</summary>
internal sealed record MigrationTools(
    TursoClient Turso, OrgDatabaseOpening Opening, OrganizationCatalog Catalog, BucketClient Bucket, string DataDirectory, MigrationOptions Options, MigrationMetrics Metrics, TimeProvider Time,
    SemaphoreSlim Places, ILogger Logger)
{
    /// <summary>Called when a step begins; tests stop a run there.</summary>
    public Func<MigrationStep, Task>? AtStep { get; set; }
}
