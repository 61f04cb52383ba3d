using System.Text.Json;
using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.Storage.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Imports;

/// <summary>An import and what came of it, as the organization's own database keeps it: one row of its audit trail, written once.</summary>
/// <param name="Import">What was received, from whom.</param>
/// <param name="Status">What came of it. It says "completed" from the commit on that brought the rows in.</param>
public sealed record ImportRecord(StagedImport Import, ImportStatus Status)
{
    private const string Action = "contacts.import";

    /// <summary>An entry of the audit trail as the API shows it.</summary>
    private const string Json = """
        json_object('at', at, 'action', action, 'id', subject, 'user', user, 'source', source, 'outcome', outcome,
          'sha256', details ->> '$.import.sha256', 'bytes', details -> '$.import.bytes', 'format', lower(details ->> '$.import.format'),
          'options', json(details -> '$.import.options'),
          'counts', json_object('total', details -> '$.status.total', 'imported', details -> '$.status.imported', 'updated', details -> '$.status.updated',
                                'skipped', details -> '$.status.skipped', 'failed', details -> '$.status.failed'))
        """;

    /// <summary>Adds one; its parameters are those of <see cref="Values"/>.</summary>
    internal const string InsertSql =
        "INSERT INTO silo_audit (at, action, subject, user, source, outcome, details) VALUES ($at, $action, $subject, $user, $source, $outcome, $details)";

    /// <summary>Finds one, of <c>$id</c>: its details.</summary>
    internal const string FindSql = $"SELECT details FROM silo_audit WHERE action = '{Action}' AND subject = $id";

    /// <summary>Whether there is one, of <c>$subject</c>.</summary>
    internal const string ExistsSql = $"EXISTS (SELECT 1 FROM silo_audit WHERE action = '{Action}' AND subject = $subject)";

    /// <summary>A page of the audit trail: as <see cref="ContactSql.List"/> is one of contacts.</summary>
    internal const string ListSql = $"SELECT json_group_array({Json}), count(*), min(seq) FROM (SELECT * FROM silo_audit WHERE seq < $before ORDER BY seq DESC LIMIT $limit)";

    /// <summary>The parameters of <see cref="InsertSql"/>.</summary>
    internal (string Name, string? Value)[] Values(DateTimeOffset now) =>
    [
        ("$at", ContactSql.Timestamp(now)), ("$action", Action), ("$subject", Import.Id), ("$user", Import.User), ("$source", Import.Source),
        ("$outcome", Status.State == ImportState.Failed ? "failed" : "completed"), ("$details", JsonSerializer.Serialize(this, ImportJson.Default.ImportRecord)),
    ];

    /// <summary>Reads the details of one.</summary>
    internal static ImportRecord? Parse(string? details) => details is null ? null : JsonSerializer.Deserialize(details, ImportJson.Default.ImportRecord);

    /// <summary>The answer that <see cref="ListSql"/> makes.</summary>
    internal static JsonBytes Page(AuditQuery query, byte[] items, long count, long oldest) =>
        ContactPage.Write(items, count == query.Limit && oldest > 1 ? ContactCursor.Format(oldest) : null);

    /// <summary>Adds it. In the transaction of the merge, it is there exactly if the rows are.</summary>
    internal void Insert(SqliteConnection connection, DateTimeOffset now) =>
        connection.Execute(InsertSql, [.. Values(now).Select(value => (value.Name, (object?)value.Value))]);

    /// <summary>Finds one by its id; null when there is none.</summary>
    internal static ImportRecord? Find(SqliteConnection connection, string id) => Parse(connection.Scalar<string>(FindSql, ("$id", id)));

    /// <summary>A page of the audit trail, newest first.</summary>
    internal static JsonBytes List(SqliteConnection connection, AuditQuery query)
    {
        using var command = connection.CreateCommand();
        command.CommandText = ListSql;
        command.Parameters.AddWithValue("$before", query.Cursor is null ? long.MaxValue : ContactCursor.Parse(query.Cursor));
        command.Parameters.AddWithValue("$limit", query.Limit);
        using var row = command.ExecuteReader();
        row.Read();
        return Page(query, row.GetFieldValue<byte[]>(0), row.GetInt64(1), row.IsDBNull(2) ? 0 : row.GetInt64(2));
    }
}
