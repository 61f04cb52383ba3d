using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;
using Silo.Storage.Sqlite;
using Silo.Storage.Turso;

namespace Silo.Storage.Databases;

/// <summary>The table of contacts as it is there, and what is added to it before it is written to.</summary>
public sealed partial class TursoOrgDatabase
{
    private readonly SemaphoreSlim _preparing = new(1, 1);
    private volatile ContactSql? _sql; // null while there is no table, or it was not looked at
    private volatile bool _isPrepared;

    /// <summary>Looks at the table, once.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="TursoException">It cannot be looked at.</exception>
    internal async Task<ContactSql?> LookAsync(CancellationToken cancellationToken)
    {
        if (_sql is { } known) return known;
        var shape = new ContactTableSql();
        foreach (var row in await QueryAsync(ContactTableSql.Select("contacts"), [], cancellationToken))
            shape.Add(row[0].AsText(), row[1].AsInteger() != 0, row[2].AsText(), row[3].IsNull ? "" : row[3].AsText(), row[4].AsInteger() != 0, row[5].AsInteger() != 0, (int)row[6].AsInteger(), (int)row[7].AsInteger());
        return _sql = shape.Table is { } table ? table.IsOwn ? ContactSql.Own : new ContactSql(table) : null;
    }

    /// <summary>
    /// Makes the table fit for a write of these fields: the table itself in an empty database, and in an older one the few columns that the
    /// write needs and the table has not. Nothing is dropped, renamed or filled, so whatever else uses the table goes on.
    /// </summary>
    /// <exception cref="TursoException">The server refuses.</exception>
    private async Task<ContactSql> PrepareAsync(ContactFields fields)
    {
        if (_isPrepared && _sql is { } ready && (ready.Table.IsOwn || !LegacyContactSql.MissingFor(ready.Table, fields).Any())) return ready;
        await _preparing.WaitAsync();
        try
        {
            Forget();
            if (await LookAsync(CancellationToken.None) is null) await AddTableAsync();
            if (_sql is { Table: { IsOwn: false } table })
            {
                await AddAsync(LegacyContactSql.MissingFor(table, fields));
                await AddAsync(LegacyContactSql.Preparation(_sql!.Table));
            }
            _isPrepared = true;
            return _sql!;
        }
        finally
        {
            _preparing.Release();
        }
    }

    private async Task AddTableAsync()
    {
        try
        {
            await _remote.ExecuteAllAsync([.. OrgSchema.ContactStatements.Select(sql => new TursoStatement(sql))], CancellationToken.None);
        }
        catch (TursoException e) when (e.Failure == TursoFailure.Refused)
        {
            // Another silo was first; if not, there is still no table.
            if (await LookAsync(CancellationToken.None) is null) throw;
        }
        await LookAsync(CancellationToken.None);
    }

    private async Task AddAsync(IEnumerable<string> statements)
    {
        var any = false;
        foreach (var sql in statements)
        {
            try
            {
                await _remote.ExecuteAsync(new TursoStatement(sql), CancellationToken.None);
            }
            catch (TursoException e) when (e.Failure == TursoFailure.Refused && e.Message.Contains("duplicate column name", StringComparison.Ordinal))
            {
                // Another silo was first.
            }
            if (sql.StartsWith("ALTER", StringComparison.Ordinal)) LogAdded(Organization, sql);
            any = true;
        }
        if (!any) return;
        Forget();
        await LookAsync(CancellationToken.None);
    }

    private void Forget() => (_sql, _isPrepared) = (null, false);

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: the older table of contacts got what writes need: {Sql}")]
    private partial void LogAdded(OrganizationId organization, string sql);
}
