using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Imports;

namespace Silo.Cluster.Hosting;

/// <summary>
/// Has accepted imports finished that no activation goes on with, because their owner died and nobody asked since; and deletes files
/// that were sent and never accepted.
/// </summary>
internal sealed partial class ImportSweep(StagedImports staged, IGrainFactory grains, IOptions<ImportsOptions> options, TimeProvider time, ILogger<ImportSweep> logger)
    : BackgroundService
{
    private readonly ImportsOptions _options = options.Value;

    /// <summary>One round.</summary>
    internal async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach (var organization in await staged.SweepAsync(_options.StagedRetention, time.GetUtcNow(), cancellationToken))
        {
            try
            {
                // An activation looks for its imports by itself.
                await grains.GetGrain<IOrgDatabaseGrain>(organization.Value).Warm(cancellationToken);
            }
            catch (Exception e) when (e is OrganizationException or TimeoutException or OrleansException)
            {
                LogNotOpened(organization, e.Message);
            }
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new Rounds(_options.SweepInterval, time).RunAsync(SweepAsync, LogFailed, stoppingToken);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: it has an import to finish, and cannot be opened now: {Problem}")]
    private partial void LogNotOpened(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Imports that nobody goes on with could not be looked for: {Problem}")]
    private partial void LogFailed(string problem);
}
