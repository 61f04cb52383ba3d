using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;

namespace Silo.Storage.Catalog;

/// <summary>
/// The migrations of organizations. Each method is one transaction that changes something only for the operation that has the
/// organization's migration now, so that one that was given up for dead can do nothing more, wherever it still runs.
/// </summary>
public sealed partial class OrganizationCatalog
{
    private const string Mine = "organization_id = @id AND operation_id = @operation AND finished_at IS NULL";

    // Only these have set is_db_provisioning; the older system sets it for reasons of its own, and a verification compares without it. The flag is written as text: then it is
    // right for the older table in PostgreSQL, which has a boolean there, and for an integer too.
    private const string IsFrozenStep = "kind IN ('migrate', 'rehearse', 'roll_back') AND step IN ('freezing', 'catching_up', 'verifying', 'uploading')";

    private const string SelectMigration = """
        SELECT m.organization_id, m.operation_id, m.kind, m.step, m.started_at, m.renewed_at, m.finished_at, m.flipped_at, m.verified_at, m.problem, m.report
        FROM organization_migrations m
        """;

    /// <summary>
    /// Begins a migration. One that another operation has begun and not renewed for a while is taken over: what that one had frozen is
    /// served as before.
    /// </summary>
    /// <param name="id">Whose.</param>
    /// <param name="operationId">A name of this one attempt.</param>
    /// <param name="kind">What is done; only <see cref="MigrationKind.Migrate"/> and <see cref="MigrationKind.RollBack"/> can move it.</param>
    /// <param name="stale">For how long a running one must not have been renewed.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when another operation runs.</returns>
    public Task<bool> BeginMigrationAsync(OrganizationId id, string operationId, MigrationKind kind, TimeSpan stale, CancellationToken cancellationToken) =>
        ChangeAsync("begin a migration in", id, operationId, async (command, token) =>
        {
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            command.Add("@stale", OrganizationRow.Column(_time.GetUtcNow() - stale));
            command.Add("@kind", Kinds[kind]);
            command.CommandText = $"""
                UPDATE organizations SET is_db_provisioning = '0' WHERE id = @id AND is_db_provisioning = '1' AND EXISTS (
                  SELECT 1 FROM organization_migrations WHERE organization_id = @id AND finished_at IS NULL AND renewed_at < @stale AND {IsFrozenStep})
                """;
            await command.ExecuteNonQueryAsync(token);
            const string Columns = "operation_id = @operation, step = 'preflight', kind = @kind, started_at = @now, renewed_at = @now, finished_at = NULL, problem = NULL";
            command.CommandText = $"UPDATE organization_migrations SET {Columns} WHERE organization_id = @id AND (finished_at IS NOT NULL OR renewed_at < @stale)";
            if (await command.ExecuteNonQueryAsync(token) == 0)
            {
                command.CommandText = """
                    INSERT INTO organization_migrations (organization_id, operation_id, kind, step, started_at, renewed_at)
                    SELECT @id, @operation, @kind, 'preflight', @now, @now WHERE NOT EXISTS (SELECT 1 FROM organization_migrations WHERE organization_id = @id)
                    """;
                return await InsertAsync(command, token) == 1;
            }
            return true;
        }, cancellationToken);

    /// <summary>Says that a migration goes on, and how far it has come. To be said at least every few seconds.</summary>
    /// <param name="id">Whose.</param>
    /// <param name="operationId">The operation.</param>
    /// <param name="step">What it does from now on; null when that is as it was, whatever it was: this may come after what was asked later.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when it was given up for dead, or another one has begun.</returns>
    public Task<bool> RenewMigrationAsync(OrganizationId id, string operationId, MigrationStep? step, CancellationToken cancellationToken) =>
        ChangeAsync("renew a migration in", id, operationId, async (command, token) =>
        {
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            if (step is { } begun) command.Add("@step", Column(begun));
            command.CommandText = $"UPDATE organization_migrations SET {(step is null ? "" : "step = @step, ")}renewed_at = @now WHERE {Mine}";
            return await command.ExecuteNonQueryAsync(token) == 1;
        }, cancellationToken);

    /// <summary>Has writes to an organization refused from now on, wherever it is served; those that have begun are to be waited for.</summary>
    /// <param name="id">Whose.</param>
    /// <param name="operationId">The operation.</param>
    /// <param name="from">Where the organization must be.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when it was given up for dead, the organization is elsewhere, or somebody else has frozen it.</returns>
    public Task<bool> FreezeAsync(OrganizationId id, string operationId, OrganizationDbType from, CancellationToken cancellationToken) =>
        ChangeAsync("freeze an organization in", id, operationId, async (command, token) =>
        {
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            command.Add("@from", OrganizationRow.Column(from));
            command.CommandText = $"UPDATE organization_migrations SET step = 'freezing', renewed_at = @now WHERE {Mine}";
            if (await command.ExecuteNonQueryAsync(token) != 1) return false;
            command.CommandText = "UPDATE organizations SET is_db_provisioning = '1' WHERE id = @id AND COALESCE(db_type, 'turso') = @from AND (is_db_provisioning IS NULL OR is_db_provisioning = '0')";
            return await command.ExecuteNonQueryAsync(token) == 1;
        }, cancellationToken);

    /// <summary>
    /// Moves a frozen organization to SQLite, lets writes in again and ends the migration, all at once.
    /// </summary>
    /// <param name="id">Whose.</param>
    /// <param name="operationId">The operation.</param>
    /// <param name="bucketName">The bucket that its replica is in.</param>
    /// <param name="replicaPath">Where in it.</param>
    /// <param name="report">What the migration found.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when it was given up for dead, or the organization is not frozen on Turso any more: then nothing was changed.</returns>
    public Task<bool> FlipToSqliteAsync(OrganizationId id, string operationId, string bucketName, string replicaPath, MigrationReport report, CancellationToken cancellationToken) =>
        ChangeAsync("move an organization to SQLite in", id, operationId, async (command, token) =>
        {
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            command.Add("@report", Json(report));
            command.Add("@bucket", bucketName);
            command.Add("@path", replicaPath);
            command.CommandText = $"""
                UPDATE organization_migrations SET step = 'completed', renewed_at = @now, finished_at = @now, flipped_at = @now, verified_at = @now, report = @report
                WHERE {Mine} AND kind = 'migrate'
                """;
            if (await command.ExecuteNonQueryAsync(token) != 1) return false;
            command.CommandText = """
                UPDATE organizations SET db_type = 'sqlite', gcs_bucket_name = @bucket, gcs_replica_path = @path, is_db_provisioning = '0'
                WHERE id = @id AND COALESCE(db_type, 'turso') = 'turso' AND is_db_provisioning = '1'
                """;
            return await command.ExecuteNonQueryAsync(token) == 1;
        }, cancellationToken);

    /// <summary>Moves a frozen organization back to Turso, lets writes in again and ends the operation, all at once. What its replica is stays in the row.</summary>
    /// <returns>False when it was given up for dead, or the organization is not frozen on SQLite any more: then nothing was changed.</returns>
    public Task<bool> FlipToTursoAsync(OrganizationId id, string operationId, MigrationReport report, CancellationToken cancellationToken) =>
        ChangeAsync("move an organization back to Turso in", id, operationId, async (command, token) =>
        {
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            command.Add("@report", Json(report));
            command.CommandText = $"""
                UPDATE organization_migrations SET step = 'rolled_back', renewed_at = @now, finished_at = @now, flipped_at = NULL, report = @report
                WHERE {Mine} AND kind = 'roll_back'
                """;
            if (await command.ExecuteNonQueryAsync(token) != 1) return false;
            command.CommandText = "UPDATE organizations SET db_type = 'turso', is_db_provisioning = '0' WHERE id = @id AND db_type = 'sqlite' AND is_db_provisioning = '1'";
            return await command.ExecuteNonQueryAsync(token) == 1;
        }, cancellationToken);

    /// <summary>Ends a migration that moves nothing, and lets writes in again: a dry run, a verification, or a failure.</summary>
    /// <param name="id">Whose.</param>
    /// <param name="operationId">The operation.</param>
    /// <param name="isVerified">Whether both sides were seen to be the same.</param>
    /// <param name="problem">Why it failed; null when it did not.</param>
    /// <param name="report">What it found; null to keep what the one before found.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False when it was given up for dead.</returns>
    public Task<bool> EndMigrationAsync(OrganizationId id, string operationId, bool isVerified, string? problem, MigrationReport? report, CancellationToken cancellationToken) =>
        ChangeAsync("end a migration in", id, operationId, async (command, token) =>
        {
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            command.Add("@step", Column(problem is null ? MigrationStep.Completed : MigrationStep.Failed));
            command.Add("@problem", problem);
            command.Add("@report", Json(report));
            command.CommandText = $"UPDATE organizations SET is_db_provisioning = '0' WHERE id = @id AND EXISTS (SELECT 1 FROM organization_migrations WHERE {Mine} AND {IsFrozenStep})";
            await command.ExecuteNonQueryAsync(token);
            command.CommandText = $"""
                UPDATE organization_migrations SET step = @step, renewed_at = @now, finished_at = @now, problem = @problem, report = COALESCE(@report, report)
                  {(isVerified ? ", verified_at = @now" : "")}
                WHERE {Mine}
                """;
            return await command.ExecuteNonQueryAsync(token) == 1;
        }, cancellationToken);

    /// <summary>The last migration of an organization; null when there was none.</summary>
    public Task<MigrationStatus?> FindMigrationAsync(OrganizationId id, CancellationToken cancellationToken) => _database.UseAsync(
        $"look up the migration of {id.Value} in",
        async (connection, token) =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = SelectMigration + " WHERE m.organization_id = @id";
            command.Add("@id", id.Value);
            await using var reader = await command.ExecuteReaderAsync(token);
            return await reader.ReadAsync(token) ? ReadMigration(reader) : null;
        },
        cancellationToken);

    /// <summary>Migrations by the organization's id.</summary>
    /// <param name="after">The id before the first one; empty for the first page.</param>
    /// <param name="limit">1 to <see cref="MaxPage"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public Task<IReadOnlyList<MigrationStatus>> ListMigrationsAsync(string after, int limit, CancellationToken cancellationToken) => _database.UseAsync<IReadOnlyList<MigrationStatus>>(
        "list the migrations of",
        async (connection, token) =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = SelectMigration + " WHERE m.organization_id > @after ORDER BY m.organization_id LIMIT @rows";
            command.Add("@after", after);
            command.Add("@rows", limit);
            await using var reader = await command.ExecuteReaderAsync(token);
            var found = new List<MigrationStatus>();
            while (await reader.ReadAsync(token)) found.Add(ReadMigration(reader));
            return found;
        },
        cancellationToken);

    /// <summary>How far the fleet has come, and a page of its migrations by the organization's id.</summary>
    /// <param name="cursor">The <see cref="FleetReport.NextCursor"/> of the page before; null for the first.</param>
    /// <param name="limit">1 to <see cref="MaxPage"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async Task<FleetReport> ReportMigrationsAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var items = await ListMigrationsAsync(cursor ?? "", limit + 1, cancellationToken);
        IReadOnlyList<MigrationStatus> page = [.. items.Take(limit)];
        return await _database.UseAsync(
            "count the migrations of",
            async (connection, token) =>
            {
                await using var command = connection.CreateCommand();
                command.CommandText = """
                    SELECT
                      (SELECT count(*) FROM organizations WHERE COALESCE(db_type, 'turso') = 'turso'),
                      (SELECT count(*) FROM organizations WHERE db_type = 'sqlite'),
                      (SELECT count(*) FROM organization_migrations WHERE flipped_at IS NOT NULL),
                      (SELECT count(*) FROM organization_migrations WHERE finished_at IS NULL),
                      (SELECT count(*) FROM organization_migrations WHERE step = 'failed')
                    """;
                await using var reader = await command.ExecuteReaderAsync(token);
                await reader.ReadAsync(token);
                return new FleetReport(
                    reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4), page,
                    items.Count > limit ? page[^1].Organization.Value : null);
            },
            cancellationToken);
    }

    /// <summary>Ends the migrations that nobody has renewed for a while, and lets writes in again where they were refused for them.</summary>
    /// <returns>How many there were.</returns>
    public Task<int> EndStaleMigrationsAsync(TimeSpan stale, CancellationToken cancellationToken) => _database.UseAsync(
        "end migrations in",
        async (connection, token) =>
        {
            await using var command = connection.CreateCommand();
            command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
            command.Add("@stale", OrganizationRow.Column(_time.GetUtcNow() - stale));
            // Every silo looks every few seconds, and nearly always in vain: nobody is to wait for that.
            command.CommandText = "SELECT count(*) FROM organization_migrations WHERE finished_at IS NULL AND renewed_at < @stale";
            if (Convert.ToInt64(await command.ExecuteScalarAsync(token), CultureInfo.InvariantCulture) == 0) return 0;
            await using var transaction = await connection.BeginTransactionAsync(token);
            command.Transaction = transaction;
            command.CommandText = $"""
                UPDATE organizations SET is_db_provisioning = '0' WHERE is_db_provisioning = '1'
                  AND id IN (SELECT organization_id FROM organization_migrations WHERE finished_at IS NULL AND renewed_at < @stale AND {IsFrozenStep})
                """;
            await command.ExecuteNonQueryAsync(token);
            command.CommandText = """
                UPDATE organization_migrations SET step = 'failed', finished_at = @now, problem = 'It was interrupted at the step ' || step || '. Begin it again.'
                WHERE finished_at IS NULL AND renewed_at < @stale
                """;
            var ended = await command.ExecuteNonQueryAsync(token);
            await transaction.CommitAsync(token);
            return ended;
        },
        cancellationToken);

    private Task<bool> ChangeAsync(
        string action, OrganizationId id, string operationId, Func<DbCommand, CancellationToken, Task<bool>> change, CancellationToken cancellationToken) => _database.UseAsync(
        action,
        async (connection, token) =>
        {
            await using var transaction = await connection.BeginTransactionAsync(token); // SQLite: BEGIN IMMEDIATE
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.Add("@id", id.Value);
            command.Add("@operation", operationId);
            if (!await change(command, token)) return false;
            await transaction.CommitAsync(token);
            return true;
        },
        cancellationToken);

    private static MigrationStatus ReadMigration(DbDataReader reader)
    {
        string? Text(int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
        DateTimeOffset? Time(int column) => Text(column) is { } text ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture) : null;
        return new MigrationStatus
        {
            Organization = OrganizationId.Parse(reader.GetString(0)),
            OperationId = reader.GetString(1),
            Kind = Kinds.Single(kind => kind.Value == reader.GetString(2)).Key,
            Step = Steps.Single(step => step.Value == reader.GetString(3)).Key,
            StartedAt = Time(4)!.Value,
            RenewedAt = Time(5)!.Value,
            FinishedAt = Time(6),
            FlippedAt = Time(7),
            VerifiedAt = Time(8),
            Problem = Text(9),
            Report = Text(10) is { } report ? JsonSerializer.Deserialize(report, MigrationReportJson.Default.MigrationReport) : null,
        };
    }

    private static string? Json(MigrationReport? report) => report is null ? null : JsonSerializer.Serialize(report, MigrationReportJson.Default.MigrationReport);

    private static string Column(MigrationStep step) => Steps[step];

    private static readonly Dictionary<MigrationStep, string> Steps = new()
    {
        [MigrationStep.Preflight] = "preflight",
        [MigrationStep.Copying] = "copying",
        [MigrationStep.Freezing] = "freezing",
        [MigrationStep.CatchingUp] = "catching_up",
        [MigrationStep.Verifying] = "verifying",
        [MigrationStep.Uploading] = "uploading",
        [MigrationStep.Completed] = "completed",
        [MigrationStep.Failed] = "failed",
        [MigrationStep.RolledBack] = "rolled_back",
    };

    private static readonly Dictionary<MigrationKind, string> Kinds = new()
    {
        [MigrationKind.Inspect] = "inspect",
        [MigrationKind.Rehearse] = "rehearse",
        [MigrationKind.Migrate] = "migrate",
        [MigrationKind.Verify] = "verify",
        [MigrationKind.RollBack] = "roll_back",
    };
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(MigrationReport))]
internal sealed partial class MigrationReportJson : JsonSerializerContext;
