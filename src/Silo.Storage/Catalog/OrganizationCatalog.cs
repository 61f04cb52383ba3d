using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Storage.Catalog;

/// <summary>
/// The table of organizations. Nothing else knows that it is a SQLite file. Safe for use by many threads and by several processes.
/// </summary>
/// <remarks>Every member throws <see cref="CatalogException"/> when the file cannot be used.</remarks>
public sealed partial class OrganizationCatalog : IDisposable
{
    /// <summary>The most organizations of one page.</summary>
    public const int MaxPage = 500;

    private readonly CatalogFile _file;
    private readonly OrganizationLookup _lookup;
    private readonly string _bucketName;
    private readonly Durability _durability;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Makes a catalog; the file is opened by its first use.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="bucket">Names the bucket of new organizations.</param>
    /// <param name="databases">Says what organizations wait for that say nothing.</param>
    /// <param name="time">Says when an organization was added.</param>
    /// <param name="logger">Told of migrations and of rows that are not served.</param>
    public OrganizationCatalog(IOptions<CatalogOptions> options, IOptions<GcsOptions> bucket, IOptions<DatabaseOptions> databases, TimeProvider time, ILogger<OrganizationCatalog> logger)
    {
        _file = new CatalogFile(options.Value);
        _durability = databases.Value.DefaultDurability;
        _lookup = new OrganizationLookup(_file, _durability);
        _bucketName = bucket.Value.BucketName;
        _time = time;
        _logger = logger;
    }

    /// <summary>
    /// Brings the file to this version; makes it when there is none. Many processes may do so at once. Rows of the older system stay,
    /// as <see cref="OrganizationDbType.Turso"/>; those whose id is no <see cref="OrganizationId"/> stay too, but are never served.
    /// </summary>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        var (applied, unserved) = await _file.RunAsync(
            "migrate",
            () =>
            {
                using var connection = _file.Open(pooled: false);
                return (CatalogMigrations.Apply(connection), CountUnserved(connection));
            },
            cancellationToken);
        foreach (var script in applied) LogMigrated(_file.Path, script);
        if (unserved > 0) LogUnserved(_file.Path, unserved);
    }

    /// <summary>Finds an organization; far below a millisecond.</summary>
    /// <returns>Null when there is none.</returns>
    public Task<Organization?> FindAsync(OrganizationId id, CancellationToken cancellationToken) =>
        _file.RunAsync($"look up organization {id.Value} in", () => _lookup.Find(id), cancellationToken);

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
        return _file.UseAsync("list organizations of", connection => List(connection, dbType, cursor, limit), cancellationToken);
    }

    /// <summary>Adds an organization. One on SQLite gets the configured bucket and the replica path <c>litestream-replicas/{id}</c>.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.OrganizationExists"/>, or <see cref="OrganizationErrorCode.ValidationFailed"/> with its fields.
    /// </exception>
    public Task<Organization> AddAsync(NewOrganization organization, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(organization);
        NewOrganizationRules.Check(organization);
        var isReplicated = organization.DbType == OrganizationDbType.Sqlite;
        var added = new Organization
        {
            Id = organization.Id,
            Name = organization.Name,
            DbType = organization.DbType,
            TursoUrl = organization.TursoUrl,
            GcsBucketName = isReplicated ? _bucketName : null,
            GcsReplicaPath = isReplicated ? $"litestream-replicas/{organization.Id.Value}" : null,
            Durability = organization.Durability ?? _durability,
            CreatedAt = _time.GetUtcNow(),
        };
        return _file.UseAsync($"add organization {organization.Id.Value} to", connection => Add(connection, added), cancellationToken);
    }

    /// <summary>Returns when the catalog can be read; throws when it cannot.</summary>
    public Task CheckAsync(CancellationToken cancellationToken) => _file.UseAsync(
        "read",
        connection =>
        {
            // An open connection goes on reading a file that has been deleted under it.
            if (!File.Exists(_file.Path)) throw new FileNotFoundException("the file is gone", _file.Path);
            using var command = connection.CreateCommand();
            command.CommandText = OrganizationRow.Select + " LIMIT 1";
            using var reader = command.ExecuteReader();
            return reader.Read();
        },
        cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _lookup.Dispose();
        _file.Dispose();
    }

    private OrganizationPage List(SqliteConnection connection, OrganizationDbType? dbType, string? cursor, int limit)
    {
        using var command = connection.CreateCommand();
        List<string> conditions = [];
        if (cursor is not null)
        {
            conditions.Add("o.id > $cursor");
            command.Parameters.AddWithValue("$cursor", cursor);
        }

        if (dbType is { } only)
        {
            conditions.Add("COALESCE(o.db_type, 'turso') = $type");
            command.Parameters.AddWithValue("$type", OrganizationRow.Column(only));
        }

        command.CommandText = OrganizationRow.Select + (conditions.Count > 0 ? " WHERE " + string.Join(" AND ", conditions) : "") + " ORDER BY o.id";
        using var reader = command.ExecuteReader();
        List<Organization> items = [];
        while (reader.Read())
        {
            // No LIMIT in the SQL, because a row that is not served must not shorten a page; SQLite makes rows only as they are read.
            if (OrganizationRow.Read(reader, _durability) is not { } organization) continue;
            if (items.Count == limit) return new OrganizationPage(items, items[^1].Id.Value);
            items.Add(organization);
        }

        return new OrganizationPage(items, null);
    }

    private static Organization Add(SqliteConnection connection, Organization added)
    {
        using var transaction = connection.BeginTransaction(); // BEGIN IMMEDIATE
        using var command = connection.CreateCommand();
        command.CommandText = """
            INSERT INTO organizations (id, name, db_type, gcs_bucket_name, gcs_replica_path, is_db_provisioning)
            SELECT $id, $name, $type, $bucket, $path, 0 WHERE NOT EXISTS (SELECT 1 FROM organizations WHERE id = $id)
            """;
        command.Parameters.AddWithValue("$id", added.Id.Value);
        command.Parameters.AddWithValue("$name", added.Name);
        command.Parameters.AddWithValue("$type", OrganizationRow.Column(added.DbType));
        command.Parameters.AddWithValue("$bucket", (object?)added.GcsBucketName ?? DBNull.Value);
        command.Parameters.AddWithValue("$path", (object?)added.GcsReplicaPath ?? DBNull.Value);
        if (command.ExecuteNonQuery() == 0)
            throw new OrganizationException(OrganizationErrorCode.OrganizationExists, $"There is an organization {added.Id.Value} already.");

        // The older system may have deleted its row of this id and left ours.
        command.CommandText = """
            INSERT INTO organization_settings (organization_id, turso_url, durability, created_at) VALUES ($id, $url, $durability, $created)
            ON CONFLICT (organization_id) DO UPDATE SET
                turso_url = excluded.turso_url, durability = excluded.durability, created_at = excluded.created_at
            """;
        command.Parameters.AddWithValue("$url", (object?)added.TursoUrl ?? DBNull.Value);
        command.Parameters.AddWithValue("$durability", OrganizationRow.Column(added.Durability));
        command.Parameters.AddWithValue("$created", OrganizationRow.Column(added.CreatedAt!.Value));
        command.ExecuteNonQuery();
        transaction.Commit();
        return added;
    }

    private static int CountUnserved(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT id FROM organizations";
        using var reader = command.ExecuteReader();
        var count = 0;
        while (reader.Read())
            if (reader.IsDBNull(0) || !OrganizationId.TryParse(reader.GetString(0), out _)) count++;
        return count;
    }

    [LoggerMessage(LogLevel.Information, "Catalog {Catalog}: ran {Script}")]
    private partial void LogMigrated(string catalog, string script);

    [LoggerMessage(LogLevel.Warning, "Catalog {Catalog}: {Count} rows are kept but not served, because their id is no organization id (a-z, 0-9, '_', '-')")]
    private partial void LogUnserved(string catalog, int count);
}
