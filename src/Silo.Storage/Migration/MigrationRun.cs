using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>
/// One operation on one organization, from its beginning to its one end. Whatever ends it, the organization is served from where it was, or
/// complete from where it went: one transaction of the catalog moves it and lets writes in again, and only for the operation that has it.
/// </summary>
/// <remarks>
/// While it runs it says so in the catalog; a run is never begun twice. When it cannot for <see cref="MigrationOptions.DeadAfter"/>, others take it for dead and let
/// writes in again, so it gives up before that.
/// </remarks>
public sealed partial class MigrationRun : IAsyncDisposable
{
    private const string HalfDoneImport = "An import is half done. Let it end first.";

    private readonly MigrationTools _tools;
    private readonly Organization _organization;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _renewing;
    private readonly OrgFiles _files;
    private volatile MigrationStatus _status;
    private MigrationReport _report = new();
    private long _stepRows;
    private volatile string? _table;
    private bool _isVerified;
    private long? _frozenAt;
    private OrgDatabase? _unserved; // the copy, open, while it is not what serves

    internal MigrationRun(MigrationTools tools, Organization organization, MigrationStatus begun)
    {
        _tools = tools;
        _organization = organization;
        _logger = tools.Logger;
        _status = begun;
        _files = OrgFiles.Temporary(tools.DataDirectory, organization.Id);
        _renewing = RenewAsync();
    }

    /// <summary>How far it has come.</summary>
    public MigrationStatus Status => _status with { Table = _table, StepRows = Interlocked.Read(ref _stepRows), Report = _report };

    /// <summary>Whether it has not ended.</summary>
    public bool IsRunning => _status.IsRunning;

    private OrganizationId Id => _organization.Id;

    private string Operation => _status.OperationId;

    private string Temporary => Path.GetDirectoryName(_files.Database)!;

    /// <summary>Only looks at the Turso database.</summary>
    public Task InspectAsync(CancellationToken cancellationToken) => RunAsync(
        async token =>
        {
            using var migration = new DatabaseMigration(OpenSource(), _files.Database, _tools.Options, _tools.Time);
            await InspectAsync(migration, token);
            await EndAsync(null, token);
            return true;
        },
        cancellationToken);

    /// <summary>Moves the organization to SQLite, or does all but that.</summary>
    /// <param name="serving">The open database on Turso, which serves meanwhile.</param>
    /// <param name="owner">This activation.</param>
    /// <param name="phases">Receives how long it took to open, in milliseconds.</param>
    /// <param name="cancellationToken">Gives up, unless the organization was moved.</param>
    /// <returns>The open database in SQLite, which serves from now on; null after a dry run, and when it failed.</returns>
    public Task<OrgDatabase?> MigrateAsync(TursoOrgDatabase serving, HeadOwner owner, ActivationPhases phases, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(serving);
        return RunAsync(
            async token =>
            {
                var began = _tools.Time.GetTimestamp();
                using (var migration = new DatabaseMigration(OpenSource(), _files.Database, _tools.Options, _tools.Time))
                {
                    await InspectAsync(migration, token);
                    await AtAsync(MigrationStep.Copying, token);
                    await migration.CopyAsync(Progress, token);
                    // What came in during a long copy takes less time than the copy; what comes in during this, less again.
                    Begin();
                    await migration.CatchUpAsync(isFrozen: false, Progress, token);
                    Found(_report with { CopySeconds = Seconds(began) });
                    serving.MigratedBy(Operation);
                    await FreezeAsync(OrganizationDbType.Turso, serving.FlushAsync, token);
                    using var frozen = LimitFreeze(token);
                    await CompleteAsync(migration, frozen.Token);
                }
                using var freeze = LimitFreeze(token);
                return await OpenAsync(owner, phases, freeze.Token, token);
            },
            cancellationToken);
    }

    /// <summary>Compares the organization's database in SQLite with the Turso database that it came from.</summary>
    public Task VerifyAsync(OrgDatabase database, CancellationToken cancellationToken) => RunAsync(
        async token =>
        {
            await AtAsync(MigrationStep.Verifying, token);
            await CompareAsync(database, token);
            RequireSame();
            _isVerified = true;
            await EndAsync(null, token);
            return true;
        },
        cancellationToken);

    /// <summary>Ends it before anything was done.</summary>
    /// <param name="reason">Why, to go on in a sentence.</param>
    public Task GiveUpAsync(string reason) => RunAsync<bool>(_ => throw Refused(reason), CancellationToken.None);

    /// <summary>Ends what still runs of it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _renewing;
        _ended.Dispose();
        _lost.Dispose();
    }

    /// <summary>Every outcome is in the status; whoever began it has gone on.</summary>
    private async Task<T?> RunAsync<T>(Func<CancellationToken, Task<T>> run, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _lost.Token);
        var hasPlace = false;
        try
        {
            await _tools.Places.WaitAsync(limit.Token);
            hasPlace = true;
            await AtAsync(MigrationStep.Preflight, limit.Token);
            _files.CreateFolder();
            return await run(limit.Token);
        }
        catch (Exception e)
        {
            var problem = Explain(e, cancellationToken);
            LogFailed(Id, _status.Kind, _status.Step, problem);
            await TryEndAsync(problem);
            return default;
        }
        finally
        {
            // Writes are let in again by now; to put the copy away may take as long as the bucket does.
            try
            {
                if (_unserved is { } copy) await CloseAsync(copy);
            }
            finally
            {
                if (hasPlace) _tools.Places.Release();
                await Task.Run(DeleteFolder, CancellationToken.None);
            }
        }
    }

    private void DeleteFolder()
    {
        try
        {
            if (Directory.Exists(_files.DataDirectory)) Directory.Delete(_files.DataDirectory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start empties it.
            LogFolderStays(Id, _files.DataDirectory, e.Message);
        }
    }

    private async Task InspectAsync(DatabaseMigration migration, CancellationToken cancellationToken)
    {
        var found = await migration.InspectAsync(cancellationToken);
        List<string> problems = [.. found.Problems];
        // The copy, our own table beside the older one, and room for what a statement needs on its way.
        var (needed, free) = (3 * found.Bytes, new DriveInfo(_tools.DataDirectory).AvailableFreeSpace);
        if (needed > free) problems.Add($"The data folder of this silo has {free:N0} bytes left, and the copy may need {needed:N0}.");
        if (found.Tables.Any(table => IsHalfDoneImport(table.Table, table.Rows))) problems.Add(HalfDoneImport);
        Found(_report with
        {
            Source = found.Source,
            Bytes = found.Bytes,
            Tables = [.. found.Tables.Select(table => new MigratedTable(table.Table, table.Rows))],
            Objects = found.Objects,
            Problems = problems,
            Notes = found.Notes,
        });
        if (problems.Count > 0) throw Refused(string.Join(" ", problems));
    }

    private static bool IsHalfDoneImport(string table, long rows) => table == Imports.TursoContactMerge.ChunksTable && rows > 0;

    /// <summary>Makes the copy the same as the source, which nobody writes to now, proves it, and lays our own schema over it.</summary>
    private async Task CompleteAsync(DatabaseMigration migration, CancellationToken cancellationToken)
    {
        await AtAsync(MigrationStep.CatchingUp, cancellationToken);
        await migration.CatchUpAsync(isFrozen: true, Progress, cancellationToken);
        await AtAsync(MigrationStep.Verifying, cancellationToken);
        Compared(await migration.VerifyAsync(Progress, cancellationToken));
        RequireSame();
        // It began since the preflight. On the other side it would begin anew, and take in what it has taken in already.
        if (_report.Tables.Any(table => IsHalfDoneImport(table.Name, table.Rows))) throw Refused(HalfDoneImport);
        _isVerified = true;
        await Task.Run(migration.Adopt, CancellationToken.None);
    }

    private async Task<OrgDatabase?> OpenAsync(HeadOwner owner, ActivationPhases phases, CancellationToken frozen, CancellationToken cancellationToken)
    {
        await AtAsync(MigrationStep.Uploading, frozen);
        var (bucket, path) = (_tools.Bucket.BucketName, OrganizationCatalog.ReplicaPathOf(Id));
        var moved = _organization with { DbType = OrganizationDbType.Sqlite, GcsBucketName = bucket, GcsReplicaPath = path };
        var database = await _tools.Opening.OpenChosenAsync(moved, new ChosenFile(_files, $"the Turso database {_report.Source}"), owner, phases, frozen);
        _unserved = database;
        // It is published, and the head is still ours (invariant 4).
        await database.FlushAsync(frozen);
        await database.WaitReplicatedAsync(0, frozen);
        if (_status.Kind == MigrationKind.Rehearse)
        {
            await EndAsync(null, cancellationToken);
            return null;
        }
        await MoveAsync(() => _tools.Catalog.FlipToSqliteAsync(Id, Operation, bucket, path, Frozen(), CancellationToken.None), MigrationStep.Completed, frozen);
        _unserved = null;
        return database;
    }

    /// <summary>Puts the copy away; nothing of it is on this machine only.</summary>
    private async Task CloseAsync(OrgDatabase database)
    {
        try
        {
            await database.CloseAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is FlushException or IOException or UnauthorizedAccessException)
        {
            // Its file stays, and is set aside when the organization is opened in SQLite the next time.
            LogNotClosed(Id, e.Message);
            await database.AbandonAsync();
        }
    }

    private async Task CompareAsync(OrgDatabase database, CancellationToken cancellationToken) =>
        Compared(await database.ReadFileAsync((path, token) => DatabaseMigration.VerifyLaterAsync(OpenSource(), path, _tools.Options, _tools.Time, Progress, token), cancellationToken));

    private void Compared(MigrationVerification found) => Found(_report with
    {
        Source = OpenSource().Address.ToString(),
        Tables = [.. found.Tables.Select(table => new MigratedTable(table.Table, table.Source.Rows, table.Source.Sha256, table.Source == table.Copy))],
        Problems = found.Differences,
        Notes = [.. _report.Notes, .. found.Notes],
    });

    private void RequireSame()
    {
        if (_report.Problems.Count > 0) throw Refused($"both sides are not the same: {string.Join("; ", _report.Problems)}.");
    }

    private async Task FreezeAsync(OrganizationDbType from, Func<CancellationToken, Task> flush, CancellationToken cancellationToken)
    {
        if (_tools.AtStep is { } atStep) await atStep(MigrationStep.Freezing);
        Begin();
        _frozenAt = _tools.Time.GetTimestamp();
        _status = _status with { Step = MigrationStep.Freezing };
        if (!await _tools.Catalog.FreezeAsync(Id, Operation, from, cancellationToken)) throw Refused("the catalog's row of the organization was changed meanwhile.");
        // Where a write does not end soon, as an import's may not, writes are refused meanwhile like anywhere else.
        using var frozen = LimitFreeze(cancellationToken);
        await flush(frozen.Token);
    }

    private CancellationTokenSource LimitFreeze(CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var left = _tools.Options.MaxFreeze - _tools.Time.GetElapsedTime(_frozenAt!.Value);
        limit.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        return limit;
    }

    private TursoDatabase OpenSource() => _tools.Turso.Open(Id, TursoAddress.Parse(_organization.TursoUrl), _organization.TursoSecret);

    private void Progress(MigrationProgress progress)
    {
        _table = progress.Table;
        Interlocked.Exchange(ref _stepRows, progress.Rows);
    }

    private void Begin()
    {
        _table = null;
        Interlocked.Exchange(ref _stepRows, 0);
    }

    private void Found(MigrationReport report) => _report = report;

    private MigrationReport Frozen() => _report = _frozenAt is { } since ? _report with { FrozenSeconds = Seconds(since) } : _report;

    private double Seconds(long since) => Math.Round(_tools.Time.GetElapsedTime(since).TotalSeconds, 3);

    private static MigrationRefusedException Refused(string reason) => new(reason);

    private string Explain(Exception e, CancellationToken cancellationToken) => e switch
    {
        MigrationRefusedException or MigrationException or TursoException or CatalogException or OrganizationException or FlushException or BucketException => e.Message,
        OperationCanceledException when cancellationToken.IsCancellationRequested => "The silo, or the activation that did it, was stopped. Begin it again.",
        OperationCanceledException when _lost.IsCancellationRequested => "The catalog could not be told for too long that it goes on. Begin it again.",
        OperationCanceledException => $"Writes were refused for longer than they may be (Migration:MaxFreeze, {_tools.Options.MaxFreeze.TotalSeconds:0} s). Begin it again when the organization is smaller, or allow more.",
        SqliteException or IOException or UnauthorizedAccessException => $"The silo's disk refused the copy: {e.Message}",
        _ => Unexpected(e),
    };

    private string Unexpected(Exception e)
    {
        LogUnexpected(Id, e);
        return "It failed because of an unexpected error, which the silo has logged.";
    }

    /// <summary>A reason to end it that is no other component's.</summary>
    private sealed class MigrationRefusedException(string reason) : Exception($"It cannot be done: {reason}");
}
