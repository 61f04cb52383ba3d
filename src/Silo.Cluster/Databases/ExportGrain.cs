using Orleans.Placement;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Exports;

namespace Silo.Cluster.Databases;

/// <summary>
/// One export. It is made where its database is open, and stays there until it was fetched or nobody asks for it any more. An activation
/// that was not told to begin is what a call finds after the silo of an export was lost.
/// </summary>
[GrainType("export"), PreferLocalPlacement, Immovable]
internal sealed partial class ExportGrain(DatabaseExports exports, ActiveDatabases active, TimeProvider time, ILogger<ExportGrain> logger) : Grain, IExportGrain
{
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(1);

    private DatabaseExport? _export;
    private long _lastUse;
    private int _waiting;

    /// <inheritdoc/>
    public Task Begin(OrganizationId organization)
    {
        var database = active.Find(organization)?.Database as OrgDatabase
            ?? throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database is being put away.") { RetryAfter = TryAgain };
        _export = exports.Begin(database);
        Touch();
        var period = exports.Options.Expiry / 4;
        this.RegisterGrainTimer(EndWhenForgotten, new GrainTimerCreationOptions(period, period));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<ExportedFile?> WaitUntilMade(CancellationToken cancellationToken)
    {
        var made = Export.Made;
        _waiting++;
        try
        {
            return await made.WaitAsync(OrgDatabaseTimeouts.ExportWait, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }
        catch (OperationCanceledException) when (made.IsCanceled)
        {
            throw Gone();
        }
        finally
        {
            _waiting--;
            Touch();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ExportPiece> Read(long offset, CancellationToken cancellationToken)
    {
        var export = Export;
        Touch();
        return new ExportPiece(await export.ReadAsync(offset, ExportedFile.PieceBytes, cancellationToken));
    }

    /// <inheritdoc/>
    public Task End()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_export is { } export) await export.DisposeAsync();
    }

    private DatabaseExport Export
    {
        get
        {
            if (_export is { } export) return export;
            DeactivateOnIdle();
            throw Gone();
        }
    }

    private static OrganizationException Gone() =>
        new(OrganizationErrorCode.DatabaseUnavailable, "The silo that made the export has ended, or the export has expired. Ask for it again.") { RetryAfter = TryAgain };

    private void Touch() => _lastUse = time.GetTimestamp();

    private Task EndWhenForgotten(CancellationToken cancellationToken)
    {
        if (_waiting > 0 || time.GetElapsedTime(_lastUse) < exports.Options.Expiry) return Task.CompletedTask;
        LogForgotten(_export!.Organization, exports.Options.Expiry.TotalSeconds);
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: an export is deleted, because nobody has asked for it for {Seconds} s")]
    private partial void LogForgotten(OrganizationId organization, double seconds);
}
