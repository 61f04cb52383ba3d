using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Storage.Imports;

/// <summary>
/// The imports of one activation, one after the other. An import is accepted when its note is in the bucket; then it happens once, be it
/// in this activation or in a later one: the record of it comes into the database with its rows, and is looked for first.
/// </summary>
/// <remarks>Everything but the long work runs where the calls come from, so a grain's calls stay in its turns.</remarks>
/// <param name="organization">Whose.</param>
/// <param name="open">Gives the open database, and opens it if it is not.</param>
/// <param name="intake">Does the work.</param>
public sealed partial class OrgImports(OrganizationId organization, Func<CancellationToken, ValueTask<IOrgDatabase>> open, ImportIntake intake) : IAsyncDisposable
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastBackoff = TimeSpan.FromSeconds(30);

    /// <summary>How long a look at one import waits until all that were accepted are known.</summary>
    private static readonly TimeSpan LookLimit = TimeSpan.FromSeconds(5);

    /// <summary>How many imports that have ended are told of from memory.</summary>
    private const int MaxEnded = 32;

    private readonly ILogger _logger = intake.Logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ImportRun> _runs = new(StringComparer.Ordinal); // those to come, the one that runs, and the last that have ended
    private readonly Queue<string> _ended = new();
    private readonly Queue<ImportRun> _waiting = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task? _resuming;
    private Task _working = Task.CompletedTask;
    private int _accepting;
    private bool _isWorking;
    private bool _isRunning;

    /// <summary>Whether there is anything to do, so that the database is in use.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_lock) return _isWorking || _accepting > 0;
        }
    }

    /// <summary>Those that wait or run, for operators: without their errors, which are the organization's own rows.</summary>
    public IReadOnlyList<ImportStatus> Unfinished()
    {
        lock (_lock) return _runs.Count == 0 ? [] : [.. _runs.Values.Where(run => !run.Over.IsCompleted).Select(run => run.Status with { Errors = [] })];
    }

    /// <summary>Begins to look for what former owners accepted and did not come to finish; once.</summary>
    public void Resume()
    {
        lock (_lock) _resuming ??= ResumeAsync();
    }

    /// <summary>What is known of an import; null when it may begin.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.ImportInProgress"/>: too many wait. <see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the bucket does not
    /// tell which were accepted.
    /// </exception>
    public async Task<ImportStatus?> PrepareAsync(string id, CancellationToken cancellationToken)
    {
        if (await LookAsync(id, cancellationToken) is { } known) return known;
        lock (_lock) EnsurePlace();
        return null;
    }

    /// <summary>Accepts an import; or tells what is known of it.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.ImportInProgress"/>: too many wait. <see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the bucket
    /// did not confirm the note of it. If only the answer was lost, a later activation finds the note and goes on with it.
    /// </exception>
    public async Task<ImportStatus> BeginAsync(StagedImport import, CancellationToken cancellationToken)
    {
        if (await LookAsync(import.Id, cancellationToken) is { } known) return known;
        var run = new ImportRun(import, intake.Time);
        ImportRun? other;
        lock (_lock)
        {
            if (!_runs.TryGetValue(import.Id, out other))
            {
                EnsurePlace();
                _accepting++;
                _runs.Add(import.Id, run);
            }
        }
        if (other is not null) return await ToldAsync(other, cancellationToken);
        try
        {
            // Not the caller's token: who leaves now would leave behind a note of which nobody knows.
            await intake.Staged.AcceptAsync(organization, import, _stopping.Token);
        }
        catch (Exception e)
        {
            lock (_lock)
            {
                _accepting--;
                _runs.Remove(import.Id);
            }
            var refusal = e is BucketException ? Unconfirmed(e) : e;
            run.Refuse(refusal);
            if (refusal != e) throw refusal;
            throw;
        }
        lock (_lock)
        {
            _accepting--;
            Enqueue(run);
        }
        run.Accept();
        LogAccepted(organization, import.Id, import.Format, import.Bytes, import.User);
        return run.Status;
    }

    /// <summary>Whether there are imports that were accepted and are not done, also such as no activation has begun to look at.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the bucket does not tell.</exception>
    public async Task<bool> AnyAcceptedAsync(CancellationToken cancellationToken)
    {
        if (IsBusy) return true;
        try
        {
            return (await intake.Staged.AcceptedAsync(organization, cancellationToken)).Any(accepted => accepted.Import is not null);
        }
        catch (BucketException e)
        {
            throw Untold(e);
        }
    }

    /// <summary>How far an import has come, after its end or after a while.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ImportNotFound"/>.</exception>
    public async Task<ImportStatus> FindAsync(string id, TimeSpan wait, CancellationToken cancellationToken)
    {
        var known = await LookAsync(id, cancellationToken);
        if (known is { IsOver: false } && wait > TimeSpan.Zero)
        {
            if (Run(id) is not { } run)
            {
                known = await LookAsync(id, cancellationToken); // it has just ended
            }
            else
            {
                await run.Over.WaitAsync(wait, intake.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                known = run.Status;
            }
        }
        return known ?? throw new OrganizationException(OrganizationErrorCode.ImportNotFound, "The organization has no import of this id.");
    }

    /// <summary>Ends what runs. What was not merged yet is gone on with by the next activation.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_resuming is { } resuming) await resuming;
        await _working;
        _stopping.Dispose();
    }

    /// <summary>What is known of an import without waiting for it: of this activation, or in the database.</summary>
    private async Task<ImportStatus?> LookAsync(string id, CancellationToken cancellationToken)
    {
        if (Run(id) is { } run) return await ToldAsync(run, cancellationToken);
        var database = await open(cancellationToken);
        Resume();
        // A record alone does not tell whether the bucket has it; a note that is still there tells that it may not.
        try
        {
            await _resuming!.WaitAsync(LookLimit, intake.Time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw Untold(e);
        }
        if (_stopping.IsCancellationRequested)
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database is being put away.") { RetryAfter = FirstBackoff };
        if (Run(id) is { } resumed) return await ToldAsync(resumed, cancellationToken);
        return await database.FindImportAsync(id, cancellationToken) is { Status: var status }
            ? status with { Durable = status.State == ImportState.Completed, FinishedAt = status.FinishedAt ?? status.MergedAt }
            : null;
    }

    /// <summary>Nobody is told of an import before it is known to happen.</summary>
    private static async Task<ImportStatus> ToldAsync(ImportRun run, CancellationToken cancellationToken)
    {
        await run.Accepted.WaitAsync(cancellationToken);
        return run.Status;
    }

    private static OrganizationException Untold(Exception cause) =>
        new(OrganizationErrorCode.DatabaseUnavailable, "The bucket does not tell now which imports were accepted.", cause) { RetryAfter = LookLimit };

    private static OrganizationException Unconfirmed(Exception cause) =>
        new(OrganizationErrorCode.DatabaseUnavailable, "The bucket did not confirm that the import is accepted; nothing was changed yet. Send it again with the same Idempotency-Key: it happens once at most.", cause)
        {
            RetryAfter = FirstBackoff,
            MayHaveHappened = true,
        };

    private ImportRun? Run(string id)
    {
        lock (_lock) return _runs.GetValueOrDefault(id);
    }

    private void EnsurePlace()
    {
        if (_waiting.Count + _accepting + (_isRunning ? 1 : 0) > intake.Options.MaxQueued)
            throw new OrganizationException(OrganizationErrorCode.ImportInProgress, "Another import of this organization runs, and as many wait as may. Send it again when they are done.");
    }

    private void Enqueue(ImportRun run)
    {
        _waiting.Enqueue(run);
        if (_isWorking) return;
        _isWorking = true;
        _working = WorkAsync();
    }

    private async Task WorkAsync()
    {
        await Task.Yield(); // whoever begins it holds the lock
        for (; ; )
        {
            ImportRun? run = null;
            lock (_lock)
            {
                _isRunning = !_stopping.IsCancellationRequested && _waiting.TryDequeue(out run);
                if (!_isRunning)
                {
                    _isWorking = false;
                    return;
                }
            }
            await RunAsync(run!);
        }
    }

    /// <summary>Looks for notes until the bucket has told of all of them.</summary>
    private async Task ResumeAsync()
    {
        await Task.Yield(); // whoever begins it holds the lock
        for (var backoff = FirstBackoff; ; backoff = Longer(backoff))
        {
            try
            {
                foreach (var (note, import) in await intake.Staged.AcceptedAsync(organization, _stopping.Token))
                {
                    if (import is null)
                    {
                        LogDamaged(organization, note);
                        continue;
                    }
                    lock (_lock)
                    {
                        if (_runs.ContainsKey(import.Id)) continue;
                        var run = new ImportRun(import, intake.Time);
                        run.Accept();
                        _runs.Add(import.Id, run);
                        Enqueue(run);
                    }
                    LogResumed(organization, import.Id);
                }
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The bucket as a rule; but whatever it is, imports that were accepted must not be forgotten.
                LogNotLooked(organization, e.Message);
                if (!await PauseAsync(backoff)) return;
            }
        }
    }

    /// <summary>Goes on with one until it has ended, or until this activation ends.</summary>
    private async Task RunAsync(ImportRun run)
    {
        var unexpected = 0;
        for (var backoff = FirstBackoff; ; backoff = Longer(backoff))
        {
            try
            {
                var outcome = await TakeInAsync(run, isGivenUp: unexpected >= intake.Options.MaxUnexpectedFailures, _stopping.Token);
                await DoneAsync(run, outcome);
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                LogLeft(organization, run.Import.Id);
                return;
            }
            catch (Exception e) when (e is OrganizationException or BucketException or IOException)
            {
                LogTriedAgain(organization, run.Import.Id, e.Message);
            }
            catch (Exception e)
            {
                // A mistake of ours must not end the queue, nor be repeated without a pause or for ever.
                LogUnexpected(organization, run.Import.Id, ++unexpected, intake.Options.MaxUnexpectedFailures, e);
            }
            intake.Metrics.Retried();
            if (!await PauseAsync(backoff)) return;
        }
    }

    private async Task<ImportStatus> TakeInAsync(ImportRun run, bool isGivenUp, CancellationToken cancellationToken)
    {
        var database = await open(cancellationToken);
        var record = await database.FindImportAsync(run.Import.Id, cancellationToken);
        try
        {
            if (record is null && isGivenUp)
                throw new ImportException(ImportErrorCode.UnexpectedError, 0, "The import failed again and again for a reason that nobody expected; an operator finds it in the silo's log.");
            record ??= await intake.TakeInAsync(run, database, cancellationToken);
        }
        catch (ImportException e)
        {
            var failed = new ImportRecord(run.Import, run.Failed(e.Error));
            LogFailed(organization, run.Import.Id, e.Error.Code, e.InnerException is { } cause ? $"{e.Message} ({cause.Message})" : e.Message);
            try
            {
                record = await database.RecordAsync(failed, cancellationToken);
            }
            catch (Exception unwritten) when (ImportIntake.IsDiskFull(unwritten) || (isGivenUp && unwritten is not (OrganizationException or OperationCanceledException)))
            {
                // Nothing can be written; that it failed is known for as long as this activation lives, and it changed nothing.
                return failed.Status;
            }
        }
        run.Replicating(record.Status);
        await database.WaitFlushedAsync(cancellationToken);
        return record.Status with { Durable = record.Status.State == ImportState.Completed, FinishedAt = intake.Time.GetUtcNow() };
    }

    private async Task DoneAsync(ImportRun run, ImportStatus outcome)
    {
        try
        {
            await intake.Staged.DeleteAsync(organization, run.Import.Id, _stopping.Token);
        }
        catch (Exception e) when (e is BucketException or OperationCanceledException)
        {
            // The note is there; the next activation finds the record and deletes both.
            LogNotDeleted(organization, run.Import.Id, e.Message);
        }
        run.End(outcome);
        intake.Metrics.Ended(outcome);
        LogDone(organization, run.Import.Id, outcome.State, outcome.Imported, outcome.Updated, outcome.Skipped, outcome.Failed);
        lock (_lock)
        {
            // The database tells of it too, but not when the bucket had it, nor of what a full disk could not take.
            _ended.Enqueue(run.Import.Id);
            if (_ended.Count > MaxEnded) _runs.Remove(_ended.Dequeue());
        }
    }

    private async Task<bool> PauseAsync(TimeSpan time)
    {
        await Task.Delay(time, intake.Time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !_stopping.IsCancellationRequested;
    }

    private static TimeSpan Longer(TimeSpan backoff) => backoff * 2 < LastBackoff ? backoff * 2 : LastBackoff;

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: import {Import} ({Format}, {Bytes} bytes) of {User} is accepted")]
    private partial void LogAccepted(OrganizationId organization, string import, ImportFormat format, long bytes, string? user);

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: import {Import} was accepted before and is gone on with")]
    private partial void LogResumed(OrganizationId organization, string import);

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: import {Import} {State}: {Imported} imported, {Updated} updated, {Skipped} skipped, {Failed} failed")]
    private partial void LogDone(OrganizationId organization, string import, ImportState state, long imported, long updated, long skipped, long failed);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: import {Import} cannot be taken in ({Code}): {Problem}")]
    private partial void LogFailed(OrganizationId organization, string import, string code, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: import {Import} is tried again: {Problem}")]
    private partial void LogTriedAgain(OrganizationId organization, string import, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: import {Import} failed unexpectedly, time {Failures} of {MaxFailures}")]
    private partial void LogUnexpected(OrganizationId organization, string import, int failures, int maxFailures, Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: import {Import} is left to the next activation")]
    private partial void LogLeft(OrganizationId organization, string import);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: imports that were accepted before could not be looked for: {Problem}")]
    private partial void LogNotLooked(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: object {Note} of the bucket cannot be read, so the import that it stands for is not gone on with. Bring back an earlier version of it, or delete it")]
    private partial void LogDamaged(OrganizationId organization, string note);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the file of import {Import} could not be deleted from the bucket yet: {Problem}")]
    private partial void LogNotDeleted(OrganizationId organization, string import, string problem);
}
