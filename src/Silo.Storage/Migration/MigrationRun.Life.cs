using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Storage.Catalog;

namespace Silo.Storage.Migration;

/// <summary>What the catalog is told of a run, and what it says: each of these is refused once others have taken the run for dead.</summary>
public sealed partial class MigrationRun
{
    private static readonly TimeSpan CatalogRetry = TimeSpan.FromMilliseconds(500);

    /// <summary>Has the catalog move the organization. A lost answer is asked for again: whether it was moved must be known.</summary>
    private async Task MoveAsync(Func<Task<bool>> flip, MigrationStep done, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (!await flip() && !await HasMovedAsync(done, cancellationToken)) throw Refused("the catalog gave it up for dead before it could move the organization.");
                Ended(done, null);
                return;
            }
            catch (CatalogException e)
            {
                LogCatalog(Id, e.Message);
                await Task.Delay(CatalogRetry, _tools.Time, cancellationToken);
            }
        }
    }

    private async Task<bool> HasMovedAsync(MigrationStep done, CancellationToken cancellationToken) =>
        await _tools.Catalog.FindMigrationAsync(Id, cancellationToken) is { } known && known.OperationId == Operation && known.Step == done;

    private async Task AtAsync(MigrationStep step, CancellationToken cancellationToken)
    {
        if (_tools.AtStep is { } atStep) await atStep(step);
        cancellationToken.ThrowIfCancellationRequested();
        Begin();
        _status = _status with { Step = step };
        if (!await _tools.Catalog.RenewMigrationAsync(Id, Operation, step, cancellationToken)) throw Refused("the catalog gave it up for dead.");
        LogStep(Id, _status.Kind, step);
    }

    private async Task EndAsync(string? problem, CancellationToken cancellationToken)
    {
        var isMine = await _tools.Catalog.EndMigrationAsync(Id, Operation, _isVerified && problem is null, problem, Frozen(), cancellationToken);
        if (isMine) Ended(problem is null ? MigrationStep.Completed : MigrationStep.Failed, problem);
        else if (problem is null) throw Refused("the catalog gave it up for dead.");
    }

    /// <summary>Lets writes in again. When the catalog cannot be reached either, others do when they take this one for dead.</summary>
    private async Task TryEndAsync(string problem)
    {
        try
        {
            await EndAsync(problem, CancellationToken.None);
        }
        catch (CatalogException e)
        {
            LogNotEnded(Id, _tools.Options.DeadAfter.TotalSeconds, e.Message);
        }
        if (IsRunning) Ended(MigrationStep.Failed, problem);
    }

    private void Ended(MigrationStep step, string? problem)
    {
        var now = _tools.Time.GetUtcNow();
        Begin();
        _status = _status with
        {
            Step = step,
            Problem = problem,
            FinishedAt = now,
            FlippedAt = (_status.Kind, step) switch { (MigrationKind.Migrate, MigrationStep.Completed) => now, (_, MigrationStep.RolledBack) => null, _ => _status.FlippedAt },
            VerifiedAt = _isVerified && problem is null ? now : _status.VerifiedAt,
        };
        _ended.Cancel();
        _tools.Metrics.Ended(_status);
        if (problem is null) LogEnded(Id, _status.Kind, _report.Rows, _report.CopySeconds, _report.FrozenSeconds);
    }

    private async Task RenewAsync()
    {
        var renewed = _tools.Time.GetTimestamp();
        using var timer = new PeriodicTimer(_tools.Options.RenewInterval, _tools.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                try
                {
                    if (!await _tools.Catalog.RenewMigrationAsync(Id, Operation, null, _ended.Token))
                    {
                        // Unless it has just ended by itself.
                        if (IsRunning) await _lost.CancelAsync();
                        return;
                    }
                    renewed = _tools.Time.GetTimestamp();
                }
                catch (CatalogException e)
                {
                    LogCatalog(Id, e.Message);
                    if (_tools.Time.GetElapsedTime(renewed) < _tools.Options.DeadAfter - _tools.Options.RenewInterval) continue;
                    await _lost.CancelAsync();
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // It has ended.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: {Kind}: {Step}")]
    private partial void LogStep(OrganizationId organization, MigrationKind kind, MigrationStep step);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: {Kind} ended without success at {Step}: {Problem}")]
    private partial void LogFailed(OrganizationId organization, MigrationKind kind, MigrationStep step, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: {Kind} is done: {Rows} rows, copied in {CopySeconds} s, writes refused for {FrozenSeconds} s")]
    private partial void LogEnded(OrganizationId organization, MigrationKind kind, long rows, double copySeconds, double frozenSeconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the catalog cannot be told of the migration now: {Problem}")]
    private partial void LogCatalog(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the catalog could not be told that the migration has ended; writes are let in again after {Seconds} s: {Problem}")]
    private partial void LogNotEnded(OrganizationId organization, double seconds, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the copy that was not moved to could not be put away: {Problem}")]
    private partial void LogNotClosed(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: what the migration left in {Folder} could not be deleted: {Problem}")]
    private partial void LogFolderStays(OrganizationId organization, string folder, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: unexpected error in a migration")]
    private partial void LogUnexpected(OrganizationId organization, Exception exception);
}
