using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Organizations;

namespace Silo.Storage.Catalog;

/// <summary>What operators did. Rows are added, get the status of their answer once, and are never deleted.</summary>
public sealed partial class OrganizationCatalog
{
    /// <summary>Writes an action down; one that is there gets its status, if it has none.</summary>
    public Task RecordAsync(OperatorAction action, CancellationToken cancellationToken) => _database.UseAsync(
        "record an operator's action in",
        async (connection, token) =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = """
                INSERT INTO operator_actions (id, at, operator, source, action, organization_id, trace_id, status)
                VALUES (@id, @at, @operator, @source, @action, @organization, @trace, @status)
                ON CONFLICT (id) DO UPDATE SET status = COALESCE(operator_actions.status, excluded.status)
                """;
            command.Add("@id", action.Id);
            command.Add("@at", OrganizationRow.Column(action.At));
            command.Add("@operator", action.Operator);
            command.Add("@source", action.Source);
            command.Add("@action", action.Action);
            command.Add("@organization", action.Organization);
            command.Add("@trace", action.TraceId);
            command.Add("@status", action.Status);
            return await command.ExecuteNonQueryAsync(token);
        },
        cancellationToken);

    /// <summary>A page of what operators did, newest first.</summary>
    /// <param name="cursor">The <see cref="OperatorActionPage.NextCursor"/> of the page before; null for the first.</param>
    /// <param name="limit">1 to <see cref="MaxPage"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/> when the cursor is none.</exception>
    public Task<OperatorActionPage> ListActionsAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        if (cursor is not null && !Guid.TryParseExact(cursor, "D", out _))
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "The cursor is not one that a page before gave.");
        return _database.UseAsync(
            "list operators' actions of",
            async (connection, token) =>
            {
                await using var command = connection.CreateCommand();
                command.CommandText = "SELECT id, at, operator, source, action, organization_id, trace_id, status FROM operator_actions"
                    + (cursor is null ? "" : " WHERE id < @cursor") + " ORDER BY id DESC LIMIT @rows";
                if (cursor is not null) command.Add("@cursor", cursor);
                command.Add("@rows", limit + 1);
                await using var reader = await command.ExecuteReaderAsync(token);
                var items = new List<OperatorAction>();
                while (await reader.ReadAsync(token))
                {
                    string? Text(int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
                    items.Add(new OperatorAction
                    {
                        Id = reader.GetString(0),
                        At = DateTimeOffset.Parse(reader.GetString(1), CultureInfo.InvariantCulture),
                        Operator = Text(2),
                        Source = Text(3),
                        Action = reader.GetString(4),
                        Organization = Text(5),
                        TraceId = Text(6),
                        Status = reader.IsDBNull(7) ? null : Convert.ToInt32(reader.GetValue(7), CultureInfo.InvariantCulture),
                    });
                }
                if (items.Count <= limit) return new OperatorActionPage(items, null);
                items.RemoveAt(limit);
                return new OperatorActionPage(items, items[^1].Id);
            },
            cancellationToken);
    }
}
