using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Orleans.Runtime.Placement;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>
/// After a crash, opens the databases whose files are still on this machine, so that what was not uploaded reaches the bucket without
/// waiting for somebody to ask for it. Each is tried until it was opened here (which sets aside what cannot be used) or the silo stops.
/// </summary>
internal sealed partial class LeftoverRecovery(
    IGrainFactory grains, ILocalSiloDetails silo, IOptions<DatabaseOptions> options, IMeterFactory meters, TimeProvider time, ILogger<LeftoverRecovery> logger) : BackgroundService
{
    private const int AtOnce = 4;

    private readonly DatabaseOptions _options = options.Value;
    private readonly LeftoverMetrics _metrics = new(meters, options.Value.DataDirectory);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        OrganizationId[] found = [.. OrgFiles.FindOrganizations(_options.DataDirectory)];
        if (found.Length == 0) return;
        LogFound(found.Length);
        HashSet<OrganizationId> left = [.. found]; // to be tried
        var elsewhere = 0;
        _metrics.Left = left.Count;
        try
        {
            for (var backoff = _options.RetryBackoff; ; backoff = backoff * 2 < _options.MaxRetryBackoff ? backoff * 2 : _options.MaxRetryBackoff)
            {
                await Parallel.ForEachAsync(left.ToArray(), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken }, async (organization, token) =>
                {
                    if (await OpenAsync(organization, token) is not { } isElsewhere) return;
                    if (isElsewhere) LogElsewhere(organization);
                    lock (left)
                    {
                        left.Remove(organization);
                        if (isElsewhere) elsewhere++;
                        _metrics.Left = left.Count + elsewhere;
                    }
                });
                if (left.Count == 0) break;
                await Task.Delay(backoff, time, stoppingToken);
            }
            LogRecovered(found.Length - elsewhere, found.Length);
        }
        catch (OperationCanceledException)
        {
            LogRemain(left.Count, found.Length, string.Join(", ", left.Select(organization => organization.Value)));
        }
    }

    /// <summary>Opens one.</summary>
    /// <returns>Whether it is open elsewhere, and its files here were not touched; null when it could not be opened.</returns>
    private async Task<bool?> OpenAsync(OrganizationId organization, CancellationToken cancellationToken)
    {
        try
        {
            // On any other silo it would go on without what only this one has.
            RequestContext.Set(IPlacementDirector.PlacementHintKey, silo.SiloAddress);
            await grains.GetGrain<IOrgDatabaseGrain>(organization.Value).Warm(cancellationToken);
            return await IsElsewhereAsync(organization, cancellationToken);
        }
        catch (Exception e) when (e is OrganizationException or TimeoutException or OrleansException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogFailed(organization, e.Message);
            return null;
        }
    }

    /// <summary>Whether another silo has it open, or another kind of database took its place, so that the files here were not touched.</summary>
    private async Task<bool> IsElsewhereAsync(OrganizationId organization, CancellationToken cancellationToken)
    {
        var status = await grains.GetGrain<IActiveDatabasesGrain>(0).Find(organization, cancellationToken);
        var isHere = status is { DbType: OrganizationDbType.Sqlite } && status.Silo == silo.SiloAddress.ToString();
        return !isHere && OrgFiles.Find(_options.DataDirectory, organization).Any(files => File.Exists(files.Database));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} organizations have files from before this start; they are opened, so that nothing in them is lost")]
    private partial void LogFound(int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "The files of {Recovered} of {Count} organizations from before this start are taken care of")]
    private partial void LogRecovered(int recovered, int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: another silo has it open, or it lives elsewhere by now; its files from before this start stay as they are, and may have commits that the bucket has not. They are set aside when it is opened here")]
    private partial void LogElsewhere(OrganizationId organization);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Left} of {Count} organizations still have files from before this start, which stay for the next one: {Organizations}")]
    private partial void LogRemain(int left, int count, string organizations);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: its files from before this start could not be opened and stay; they are tried again: {Problem}")]
    private partial void LogFailed(OrganizationId organization, string problem);
}
