using System.Data.Common;
using System.Globalization;
using Silo.Contracts;
using Silo.Storage.Usage;

namespace Silo.Storage.Catalog;

/// <summary>When organizations are used.</summary>
public sealed partial class OrganizationCatalog
{
    /// <summary>The most usages of one page.</summary>
    public const int MaxUsages = 1_000;

    /// <summary>The most organizations that uses are added of at once: a statement of 1,000 parameters and about 250 KB.</summary>
    public const int MaxUsageBatch = 200;

    /// <summary>How often adding to a row is tried that another silo changes at the same time.</summary>
    private const int MaxUsageTries = 5;

    private sealed record UsageRow(OrganizationId Id, long Version, UsageProfile Profile);

    /// <summary>Adds uses to what is known of organizations, whoever else does so at the same time; of all of them in one transaction.</summary>
    /// <param name="uses">When each was used, in order; of <see cref="MaxUsageBatch"/> at most.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>What is known now. Left out are those that others changed each time and those that are no organizations: of them nothing was added.</returns>
    public Task<IReadOnlyDictionary<OrganizationId, UsageProfile>> AddUsesAsync(IReadOnlyDictionary<OrganizationId, IReadOnlyList<DateTimeOffset>> uses, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(uses.Count, MaxUsageBatch);
        return _database.UseAsync<IReadOnlyDictionary<OrganizationId, UsageProfile>>(
            "add uses to",
            async (connection, token) =>
            {
                var added = new Dictionary<OrganizationId, UsageProfile>();
                IReadOnlyCollection<OrganizationId> left = [.. uses.Keys];
                for (var tries = 0; left.Count > 0 && tries < MaxUsageTries; tries++)
                {
                    var rows = await ReadUsagesAsync(connection, left, token);
                    foreach (var (id, _, profile) in rows)
                    {
                        foreach (var use in uses[id]) profile.Use(use);
                    }
                    var written = await WriteUsagesAsync(connection, rows, token);
                    foreach (var row in rows.Where(row => written.Contains(row.Id))) added.Add(row.Id, row.Profile);
                    left = [.. rows.Select(row => row.Id).Where(id => !written.Contains(id))];
                }
                return added;
            },
            cancellationToken);
    }

    /// <summary>What is known of the organizations that are used most, those first.</summary>
    /// <param name="limit">How many, 1 to <see cref="MaxUsages"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public Task<IReadOnlyList<OrganizationUsage>> ListMostUsedAsync(int limit, CancellationToken cancellationToken) =>
        ListUsagesAsync("ORDER BY u.usage_rank DESC, u.organization_id LIMIT @rows", [("@rows", Limit(limit))], cancellationToken);

    /// <summary>What is known of organizations, and has changed at or after a moment; in the order in which it did.</summary>
    /// <param name="since">By the clocks of the silos.</param>
    /// <param name="after">Of those that changed at that moment, only organizations after this one; null for all.</param>
    /// <param name="limit">How many, 1 to <see cref="MaxUsages"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public Task<IReadOnlyList<OrganizationUsage>> ListUsagesAsync(DateTimeOffset since, OrganizationId? after, int limit, CancellationToken cancellationToken) => ListUsagesAsync(
        "WHERE u.changed_at > @since OR (u.changed_at = @since AND u.organization_id > @after) ORDER BY u.changed_at, u.organization_id LIMIT @rows",
        [("@since", OrganizationRow.Column(since)), ("@after", after?.Value ?? ""), ("@rows", Limit(limit))], cancellationToken);

    /// <summary>Forgets what is known of organizations that were not used for long.</summary>
    /// <returns>Of how many.</returns>
    public Task<int> ForgetUsagesAsync(DateTimeOffset lastUsedBefore, CancellationToken cancellationToken) => _database.UseAsync(
        "forget uses in",
        async (connection, token) =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = "DELETE FROM organization_usage WHERE last_used_at < @before";
            command.Add("@before", OrganizationRow.Column(lastUsedBefore));
            return await command.ExecuteNonQueryAsync(token);
        },
        cancellationToken);

    /// <returns>A row for each that is an organization; one of version 0 where nothing is known yet.</returns>
    private static async Task<IReadOnlyList<UsageRow>> ReadUsagesAsync(DbConnection connection, IReadOnlyCollection<OrganizationId> ids, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        foreach (var (number, id) in ids.Index()) command.Add($"@id{number}", id.Value);
        command.CommandText = $"""
            SELECT o.id, COALESCE(u.version, 0), u.profile FROM organizations o LEFT JOIN organization_usage u ON u.organization_id = o.id
            WHERE o.id IN ({string.Join(", ", Enumerable.Range(0, ids.Count).Select(number => $"@id{number}"))})
            ORDER BY o.id
            """;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new List<UsageRow>();
        while (await reader.ReadAsync(cancellationToken))
        {
            // What a version to come has written is not understood, and begins anew.
            var profile = reader.IsDBNull(2) ? null : UsageProfile.TryParse(reader.GetString(2));
            rows.Add(new UsageRow(OrganizationId.Parse(reader.GetString(0)), Convert.ToInt64(reader.GetValue(1), CultureInfo.InvariantCulture), profile ?? new UsageProfile()));
        }
        return rows;
    }

    // A row is changed only if it is still the one that was read, so that two silos add to each other's uses and not in their place. All
    // silos come to the rows in the same order: none waits for one that waits for it.
    private async Task<IReadOnlySet<OrganizationId>> WriteUsagesAsync(DbConnection connection, IReadOnlyList<UsageRow> rows, CancellationToken cancellationToken)
    {
        var written = new HashSet<OrganizationId>();
        if (rows.Count == 0) return written;
        var now = _time.GetUtcNow();
        await using var command = connection.CreateCommand();
        command.Add("@now", OrganizationRow.Column(now));
        foreach (var (number, (id, version, profile)) in rows.Index())
        {
            command.Add($"@id{number}", id.Value);
            command.Add($"@rank{number}", profile.Rank);
            command.Add($"@used{number}", OrganizationRow.Column(profile.LastUse ?? now));
            command.Add($"@version{number}", version + 1);
            command.Add($"@profile{number}", profile.ToText());
        }
        command.CommandText = $"""
            INSERT INTO organization_usage AS held (organization_id, usage_rank, last_used_at, changed_at, version, profile)
            VALUES {string.Join(", ", Enumerable.Range(0, rows.Count).Select(number => $"(@id{number}, @rank{number}, @used{number}, @now, @version{number}, @profile{number})"))}
            ON CONFLICT (organization_id) DO UPDATE SET
                usage_rank = excluded.usage_rank, last_used_at = excluded.last_used_at, changed_at = excluded.changed_at,
                version = excluded.version, profile = excluded.profile
            WHERE held.version = excluded.version - 1
            RETURNING organization_id
            """;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) written.Add(OrganizationId.Parse(reader.GetString(0)));
        return written;
    }

    private Task<IReadOnlyList<OrganizationUsage>> ListUsagesAsync(string rest, IReadOnlyList<(string Name, object Value)> parameters, CancellationToken cancellationToken) =>
        _database.UseAsync<IReadOnlyList<OrganizationUsage>>(
            "list the uses of",
            async (connection, token) =>
            {
                await using var command = connection.CreateCommand();
                command.CommandText = $"SELECT u.organization_id, u.changed_at, u.profile FROM organization_usage u {rest}";
                foreach (var (name, value) in parameters) command.Add(name, value);
                await using var reader = await command.ExecuteReaderAsync(token);
                var found = new List<OrganizationUsage>();
                while (await reader.ReadAsync(token))
                {
                    if (OrganizationId.TryParse(reader.GetString(0), out var id) && UsageProfile.TryParse(reader.GetString(2)) is { } profile)
                        found.Add(new OrganizationUsage(id, DateTimeOffset.Parse(reader.GetString(1), CultureInfo.InvariantCulture), profile));
                }
                return found;
            },
            cancellationToken);

    private static int Limit(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MaxUsages);
        return limit;
    }
}
