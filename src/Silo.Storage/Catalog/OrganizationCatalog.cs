using System.Data.Common;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Storage.Catalog;

/// <summary>
/// The table of organizations. Nothing else knows where it is. Safe for use by many threads and by several processes.
/// </summary>
/// <remarks>Every member throws <see cref="CatalogException"/> when it cannot be used.</remarks>
public sealed partial class OrganizationCatalog : IDisposable
{
    /// <summary>The most organizations of one page.</summary>
    public const int MaxPage = 500;

    private readonly SharedDatabase _database;
    private readonly string _bucketName;
    private readonly Durability _durability;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Makes a catalog; it is opened by its first use.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="bucket">Names the bucket of new organizations.</param>
    /// <param name="databases">Says what organizations wait for that say nothing.</param>
    /// <param name="time">Says when an organization was added.</param>
    /// <param name="logger">Told of migrations and of rows that are not served.</param>
    public OrganizationCatalog(IOptions<CatalogOptions> options, IOptions<GcsOptions> bucket, IOptions<DatabaseOptions> databases, TimeProvider time, ILogger<OrganizationCatalog> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _database = SharedDatabase.Of(options.Value.Connection, "catalog", "ConnectionStrings:Catalog", options.Value.BusyTimeout);
        _durability = databases.Value.DefaultDurability;
        _bucketName = bucket.Value.BucketName;
        _time = time;
        _logger = logger;
    }

    /// <summary>
    /// Brings it to this version; makes a file when there is none. Many processes may do so at once. Rows of the older system stay,
    /// as <see cref="OrganizationDbType.Turso"/>; those whose id is no <see cref="OrganizationId"/> stay too, but are never served.
    /// </summary>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        foreach (var script in await _database.MigrateAsync(CatalogMigrations.Scripts, cancellationToken)) LogMigrated(_database.Name, script);
        var unserved = await _database.UseAsync("migrate", CountUnservedAsync, cancellationToken);
        if (unserved > 0) LogUnserved(_database.Name, unserved);
    }

    /// <summary>Finds an organization; below a millisecond.</summary>
    /// <returns>Null when there is none.</returns>
    public Task<Organization?> FindAsync(OrganizationId id, CancellationToken cancellationToken) => _database.UseAsync(
        $"look up organization {id.Value} in",
        async (connection, token) =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = OrganizationRow.Select + " WHERE o.id = @id";
            command.Add("@id", id.Value);
            await using var reader = await command.ExecuteReaderAsync(token);
            return await reader.ReadAsync(token) ? OrganizationRow.Read(reader, _durability) : null;
        },
        cancellationToken);

    /// <summary>A page of organizations by id.</summary>
    /// <param name="dbType">Only these; null for all.</param>
    /// <param name="cursor">The <see cref="OrganizationPage.NextCursor"/> of the page before; null for the first.</param>
    /// <param name="limit">1 to <see cref="MaxPage"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/> when the cursor is none.</exception>
    public Task<OrganizationPage> ListAsync(OrganizationDbType? dbType, string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MaxPage);
        if (cursor is not null && !OrganizationId.TryParse(cursor, out _))
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "The cursor is not one that a page before gave.");
        return _database.UseAsync("list organizations of", (connection, token) => ListAsync(connection, dbType, cursor, limit, token), cancellationToken);
    }

    /// <summary>Adds an organization. One on SQLite gets the configured bucket and the replica path <c>litestream-replicas/{id}</c>.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.OrganizationExists"/>, or <see cref="OrganizationErrorCode.ValidationFailed"/> with its fields.
    /// </exception>
    public Task<Organization> AddAsync(NewOrganization organization, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(organization);
        return AddAsync(organization, ReplicaPathOf(organization.Id), cancellationToken);
    }

    /// <summary>Where the replica of an organization is, unless it was made in another way.</summary>
    internal static string ReplicaPathOf(OrganizationId organization) => $"litestream-replicas/{organization}";

    /// <summary>Adds an organization whose rows are in the bucket already, at a place of their own.</summary>
    /// <inheritdoc cref="AddAsync(NewOrganization, CancellationToken)" path="/exception"/>
    internal Task<Organization> AddAsync(NewOrganization organization, string replicaPath, CancellationToken cancellationToken)
    {
        NewOrganizationRules.Check(organization);
        var isReplicated = organization.DbType == OrganizationDbType.Sqlite;
        var added = new Organization
        {
            Id = organization.Id,
            Name = organization.Name,
            DbType = organization.DbType,
            TursoUrl = organization.TursoUrl,
            TursoSecret = organization.TursoSecret,
            GcsBucketName = isReplicated ? _bucketName : null,
            GcsReplicaPath = isReplicated ? replicaPath : null,
            Durability = organization.Durability ?? _durability,
            CreatedAt = _time.GetUtcNow(),
        };
        return _database.UseAsync($"add organization {organization.Id.Value} to", (connection, token) => AddAsync(connection, added, token), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    private async Task<OrganizationPage> ListAsync(DbConnection connection, OrganizationDbType? dbType, string? cursor, int limit, CancellationToken cancellationToken)
    {
        // A row that is not served must not shorten a page: those that are missing for it are asked for once more.
        List<Organization> items = [];
        var after = cursor ?? "";
        for (var seen = limit + 1; seen > limit && items.Count <= limit;)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = OrganizationRow.Select
                + " WHERE o.id > @after" + (dbType is null ? "" : " AND COALESCE(o.db_type, 'turso') = @type") + " ORDER BY o.id LIMIT @rows";
            command.Add("@after", after);
            command.Add("@rows", limit + 1);
            if (dbType is { } only) command.Add("@type", OrganizationRow.Column(only));
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            for (seen = 0; await reader.ReadAsync(cancellationToken); seen++)
            {
                after = reader.GetString(0);
                if (OrganizationRow.Read(reader, _durability) is { } organization) items.Add(organization);
            }
        }
        if (items.Count <= limit) return new OrganizationPage(items, null);
        items.RemoveRange(limit, items.Count - limit);
        return new OrganizationPage(items, items[^1].Id.Value);
    }

    private static async Task<Organization> AddAsync(DbConnection connection, Organization added, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken); // SQLite: BEGIN IMMEDIATE
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = """
            INSERT INTO organizations (id, name, db_type, gcs_bucket_name, gcs_replica_path, is_db_provisioning)
            SELECT @id, @name, @type, @bucket, @path, '0' WHERE NOT EXISTS (SELECT 1 FROM organizations WHERE id = @id)
            """;
        command.Add("@id", added.Id.Value);
        command.Add("@name", added.Name);
        command.Add("@type", OrganizationRow.Column(added.DbType));
        command.Add("@bucket", added.GcsBucketName);
        command.Add("@path", added.GcsReplicaPath);
        if (await InsertAsync(command, cancellationToken) == 0)
            throw new OrganizationException(OrganizationErrorCode.OrganizationExists, $"There is an organization {added.Id.Value} already.");

        // The older system may have deleted its row of this id and left ours.
        command.CommandText = """
            INSERT INTO organization_settings (organization_id, turso_url, turso_secret, durability, created_at) VALUES (@id, @url, @secret, @durability, @created)
            ON CONFLICT (organization_id) DO UPDATE SET
                turso_url = excluded.turso_url, turso_secret = excluded.turso_secret, durability = excluded.durability, created_at = excluded.created_at
            """;
        command.Parameters.Clear();
        command.Add("@id", added.Id.Value);
        command.Add("@url", added.TursoUrl);
        command.Add("@secret", added.TursoSecret);
        command.Add("@durability", OrganizationRow.Column(added.Durability));
        command.Add("@created", OrganizationRow.Column(added.CreatedAt!.Value));
        await command.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return added;
    }

    /// <returns>0 when it is there: found by the statement itself, or by PostgreSQL's key when two are added at once.</returns>
    private static async Task<int> InsertAsync(DbCommand command, CancellationToken cancellationToken)
    {
        const string UniqueViolation = "23505";
        try
        {
            return await command.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (DbException e) when (e.SqlState == UniqueViolation)
        {
            return 0;
        }
    }

    private static async Task<int> CountUnservedAsync(DbConnection connection, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT id FROM organizations";
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var count = 0;
        while (await reader.ReadAsync(cancellationToken))
            if (reader.IsDBNull(0) || !OrganizationId.TryParse(reader.GetString(0), out _)) count++;
        return count;
    }

    [LoggerMessage(LogLevel.Information, "Catalog {Catalog}: ran {Script}")]
    private partial void LogMigrated(string catalog, string script);

    [LoggerMessage(LogLevel.Warning, "Catalog {Catalog}: {Count} rows are kept but not served, because their id is no organization id (a-z, 0-9, '_', '-')")]
    private partial void LogUnserved(string catalog, int count);
}
