using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.Storage.Contacts;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Sqlite;
using Silo.Storage.Turso;

namespace Silo.Storage.Databases;

/// <summary>What imports ask of a database on Turso: rows in as few transactions as the server allows, and the record of what came of them.</summary>
public sealed partial class TursoOrgDatabase
{
    private const string NothingIsIn = "Nothing was changed.";
    private const string PartIsIn = "The rows until there are in.";

    private const long NotBegun = -1;

    private volatile bool _hasAudit;
    private (string Import, long After)? _refusedAt; // of the import that runs: behind which row something was refused last

    /// <inheritdoc/>
    public ValueTask<ImportRecord?> FindImportAsync(string id, CancellationToken cancellationToken) => ReadAsync(
        DatabaseOperation.FindImport, async _ => await HasAuditAsync(cancellationToken) && await QueryAsync(ImportRecord.FindSql, Arguments(("id", id)), cancellationToken) is [[var details]]
            ? ImportRecord.Parse(details.AsText())
            : null,
        cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/>: the cursor is none of ours.</exception>
    public ValueTask<JsonBytes> ListAuditAsync(AuditQuery query, CancellationToken cancellationToken) => ReadAsync(
        DatabaseOperation.ListAudit, async _ =>
        {
            var before = query.Cursor is null ? long.MaxValue : ContactCursor.Parse(query.Cursor);
            if (!await HasAuditAsync(cancellationToken)) return ContactPage.Write("[]"u8, null);
            var row = (await QueryAsync(ImportRecord.ListSql, Arguments(("before", before), ("limit", query.Limit)), cancellationToken))[0];
            return ImportRecord.Page(query, System.Text.Encoding.UTF8.GetBytes(row[0].AsText()), row[1].AsInteger(), row[2].IsNull ? 0 : row[2].AsInteger());
        },
        cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="OrganizationException">See <see cref="WriteAsync"/>. It goes on where it was when it is tried again.</exception>
    /// <exception cref="ImportException">The table or the server does not take such rows.</exception>
    async Task<ImportRecord> IOrgDatabase.MergeAsync(PendingMerge merge, Func<MergeCounts, ImportRecord> record, CancellationToken cancellationToken)
    {
        await using var held = await _importLock.TakeAsync(cancellationToken);
        try
        {
            var now = _time.GetUtcNow();
            var sql = await WriteAsync(DatabaseOperation.Import, () => UnlessRefusedAsync(merge.Import.Id, NotBegun, () => PrepareForImportAsync(merge)), cancellationToken);
            // Between the lock and here another cluster may have taken in this very import.
            if (await FindImportAsync(merge.Import.Id, cancellationToken) is { } known) return known;
            var run = new TursoContactMerge(_remote, sql, merge, ContactSql.Timestamp(now));
            // What is matched is matched in a file, and that blocks.
            await WriteAsync(DatabaseOperation.Import, () => UnlessRefusedAsync(merge.Import.Id, NotBegun, () => Task.Run(async () => { await run.MatchAsync(cancellationToken); return true; }, CancellationToken.None)), cancellationToken);
            for (long last = await WriteAsync(DatabaseOperation.Import, () => UnlessRefusedAsync(merge.Import.Id, NotBegun, () => run.BeginAsync(CancellationToken.None)), cancellationToken), before = -1; last != before;)
            {
                EnsureHeld(held);
                cancellationToken.ThrowIfCancellationRequested();
                before = last;
                last = await WriteAsync(DatabaseOperation.Import, () => UnlessRefusedAsync(merge.Import.Id, before, () => run.SendAsync(before, now, CancellationToken.None)), cancellationToken);
            }
            EnsureHeld(held);
            var done = await WriteAsync(DatabaseOperation.Import, async () => record(await Task.Run(() => run.CountAsync(CancellationToken.None))), cancellationToken);
            return await AddRecordAsync(done, TursoContactMerge.End(done.Import.Id), cancellationToken);
        }
        finally
        {
            await held.GiveUpAsync();
        }
    }

    /// <inheritdoc/>
    async Task<ImportRecord> IOrgDatabase.RecordAsync(ImportRecord record, CancellationToken cancellationToken)
    {
        await WriteAsync(DatabaseOperation.Import, async () => { await AddAuditAsync(); return true; }, cancellationToken);
        if (await FindPartAsync(record.Import.Id, cancellationToken) is null) return await AddRecordAsync(record, null, cancellationToken);
        // Some of its rows are in already: sent again, those without a key would come in twice. A disk has room again some time.
        if (record.Status.Errors is [{ Code: ImportErrorCode.DiskFull }, ..])
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The import is half done, and goes on when the silo's disk has room.");
        // Another cluster may be about to go on with it, and must not find it neither begun nor ended.
        await using var held = await _importLock.TakeAsync(cancellationToken);
        try
        {
            return await FindPartAsync(record.Import.Id, cancellationToken) is { } rows
                ? await AddRecordAsync(Told(record, rows), TursoContactMerge.End(record.Import.Id), cancellationToken)
                : await AddRecordAsync(record, null, cancellationToken);
        }
        finally
        {
            await held.GiveUpAsync();
        }
    }

    private Task<(long Imported, long Updated)?> FindPartAsync(string import, CancellationToken cancellationToken) =>
        WriteAsync(DatabaseOperation.Import, () => TursoContactMerge.FindPartAsync(_remote, import, CancellationToken.None), cancellationToken);

    private static ImportRecord Told(ImportRecord record, (long Imported, long Updated) rows) => record with
    {
        Status = record.Status with
        {
            Imported = rows.Imported,
            Updated = rows.Updated,
            Errors = [.. record.Status.Errors.Select(error => error with { Message = error.Message.Replace(NothingIsIn, PartIsIn, StringComparison.Ordinal) })],
        },
    };

    /// <inheritdoc/>
    Task IOrgDatabase.WaitFlushedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<ContactSql> PrepareForImportAsync(PendingMerge merge)
    {
        await AddAuditAsync();
        var sql = await PrepareAsync(TursoContactMerge.Written(merge));
        return sql.Table.Required.FirstOrDefault(column => LegacyContactSql.RequiredValue(column) is null) is { } unknown ? throw Unfit(CannotAdd(unknown)) : sql;
    }

    private static void EnsureHeld(OwnershipLease held)
    {
        if (!held.IsRunning) throw new OrganizationException(OrganizationErrorCode.ImportInProgress, "The lease of the import could not be renewed; it goes on when it can be taken again.");
    }

    /// <summary>Ends an import that would be refused again and again: those behind it wait, and so does a migration.</summary>
    private async Task<T> UnlessRefusedAsync<T>(string import, long after, Func<Task<T>> step)
    {
        try
        {
            return await step();
        }
        catch (TursoException e) when (IsConstraint(e) && e.Message.Contains(TursoContactMerge.ChunksTable, StringComparison.Ordinal))
        {
            throw new OrganizationException(OrganizationErrorCode.ImportInProgress, "These rows came in already, by another cluster or by a try whose answer was lost; it goes on from where it is.", e);
        }
        catch (TursoException e) when (IsLasting(e))
        {
            if (after == 0 && IsConstraint(e)) throw Unfit(e);
            // A contact that came in meanwhile may be in the way, or somebody be changing the table: the next try knows of it.
            var isAgain = _refusedAt == (import, after);
            _refusedAt = (import, after);
            if (!isAgain) throw;
            throw after > 0 ? UnfitAfter(after, e) : Unfit(e);
        }
    }

    /// <summary>Whether the rows or the table are at fault, or the size of one row, and not the state of the server, which an operator mends while an import waits.</summary>
    private static bool IsLasting(TursoException e) =>
        IsConstraint(e) || e is { Failure: TursoFailure.TooLarge, MayHaveExecuted: false } or { Failure: TursoFailure.Refused, Code: "SQLITE_ERROR" or "SQLITE_UNKNOWN" or "SQL_INPUT_ERROR" or "SQLITE_MISMATCH" or "SQLITE_TOOBIG" };

    private static bool IsConstraint(TursoException e) => e.Code?.StartsWith("SQLITE_CONSTRAINT", StringComparison.Ordinal) == true;

    /// <summary>Nothing is in, and nothing would be by trying again.</summary>
    private static ImportException Unfit(Exception cause) =>
        new(ImportErrorCode.DatabaseRefused, 0, "The organization's table of contacts, or its server, does not take these rows; an operator finds the reason in the log of the silo. " + NothingIsIn, cause);

    /// <summary>What is in stays, as it was answered to readers; nothing more would come in by trying again.</summary>
    private static ImportException UnfitAfter(long row, Exception cause) =>
        new(ImportErrorCode.DatabaseRefused, 0, string.Create(CultureInfo.InvariantCulture, $"The organization's table of contacts, or its server, does not take some row after row {row}; an operator finds the reason in the log of the silo. {PartIsIn}"), cause);

    /// <summary>Writes the record down, once.</summary>
    private Task<ImportRecord> AddRecordAsync(ImportRecord record, TursoStatement? also, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Import, async () =>
        {
            var arguments = record.Values(_time.GetUtcNow()).ToDictionary(value => value.Name[1..], value => (TursoValue)value.Value, StringComparer.Ordinal);
            var insert = new TursoStatement(ImportRecord.InsertSql) { NamedArguments = arguments };
            try
            {
                await _remote.ExecuteAllAsync(also is null ? [insert] : [insert, also], CancellationToken.None);
                return record;
            }
            catch (TursoException e) when (IsUniqueViolation(e))
            {
                // Written by an earlier try whose answer was lost, or by another cluster.
                if (also is not null) await _remote.ExecuteAsync(also, CancellationToken.None);
                var found = await QueryAsync(ImportRecord.FindSql, Arguments(("id", record.Import.Id)), CancellationToken.None);
                return ImportRecord.Parse(found[0][0].AsText())!;
            }
        },
        cancellationToken);

    private async Task<bool> HasAuditAsync(CancellationToken cancellationToken) =>
        _hasAudit || (_hasAudit = (await QueryAsync("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'silo_audit'", [], cancellationToken))[0][0].AsInteger() > 0);

    private async Task AddAuditAsync()
    {
        if (await HasAuditAsync(CancellationToken.None)) return;
        try
        {
            await _remote.ExecuteAllAsync([.. OrgSchema.AuditStatements.Select(sql => new TursoStatement(sql))], CancellationToken.None);
        }
        catch (TursoException e) when (e.Failure == TursoFailure.Refused)
        {
            // Another silo was first; if not, there is still no table.
            if (!await HasAuditAsync(CancellationToken.None)) throw;
        }
    }
}
