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

    /// <summary>How often adding to a row is tried that another silo changes at the same time.</summary>
    private const int MaxUsageTries = 5;

    /// <summary>Adds uses to what is known of an organization, whoever else does so at the same time.</summary>
    /// <param name="id">Whose.</param>
    /// <param name="uses">When it was used, in order.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>What is known now; null when others changed it each time, or there is no such organization: then nothing was added.</returns>
    public Task<UsageProfile?> AddUsesAsync(OrganizationId id, IReadOnlyList<DateTimeOffset> uses, CancellationToken cancellationToken) => _database.UseAsync(
        $"add uses of {id.Value} to",
        async (connection, token) =>
        {
            for (var tries = 0; tries < MaxUsageTries; tries++)
            {
                if (await TryAddUsesAsync(connection, id, uses, token) is { } profile) return profile;
            }
            return null;
        },
        cancellationToken);

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

    // The row is changed only if it is still the one that was read, so that two silos add to each other's uses and not in their place.
    private async Task<UsageProfile?> TryAddUsesAsync(DbConnection connection, OrganizationId id, IReadOnlyList<DateTimeOffset> uses, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.Add("@id", id.Value);
        command.CommandText = "SELECT u.version, u.profile FROM organization_usage u WHERE u.organization_id = @id";
        var (version, profile) = (0L, new UsageProfile());
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            // What a version to come has written is not understood, and begins anew.
            if (await reader.ReadAsync(cancellationToken)) (version, profile) = (Convert.ToInt64(reader.GetValue(0), CultureInfo.InvariantCulture), UsageProfile.TryParse(reader.GetString(1)) ?? profile);
        }
        foreach (var use in uses) profile.Use(use);
        command.Add("@rank", profile.Rank);
        command.Add("@used", OrganizationRow.Column(profile.LastUse ?? _time.GetUtcNow()));
        command.Add("@now", OrganizationRow.Column(_time.GetUtcNow()));
        command.Add("@profile", profile.ToText());
        if (version == 0)
        {
            command.CommandText = """
                INSERT INTO organization_usage (organization_id, usage_rank, last_used_at, changed_at, version, profile)
                SELECT @id, @rank, @used, @now, 1, @profile WHERE EXISTS (SELECT 1 FROM organizations WHERE id = @id)
                ON CONFLICT (organization_id) DO NOTHING
                """;
        }
        else
        {
            // A number in the text and not a parameter: PostgreSQL's INTEGER and Npgsql's bigint would need a cast.
            command.CommandText = string.Create(CultureInfo.InvariantCulture, $"""
                UPDATE organization_usage SET usage_rank = @rank, last_used_at = @used, changed_at = @now, profile = @profile, version = version + 1
                WHERE organization_id = @id AND version = {version}
                """);
        }
        return await command.ExecuteNonQueryAsync(cancellationToken) == 1 ? profile : null;
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
