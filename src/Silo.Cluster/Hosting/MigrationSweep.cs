using Microsoft.Extensions.Options;
using Silo.Storage.Catalog;
using Silo.Storage.Migration;

namespace Silo.Cluster.Hosting;

/// <summary>Ends the migrations of silos that died, so that writes are let in again where they were refused for them.</summary>
internal sealed partial class MigrationSweep(OrganizationCatalog catalog, IOptions<MigrationOptions> options, TimeProvider time, ILogger<MigrationSweep> logger) : BackgroundService
{
    private readonly MigrationOptions _options = options.Value;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new Rounds(_options.RenewInterval, time).RunAsync(SweepAsync, LogFailed, stoppingToken);

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        if (await catalog.EndStaleMigrationsAsync(_options.DeadAfter, cancellationToken) is > 0 and var ended) LogEnded(ended, _options.DeadAfter.TotalSeconds);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} migrations said nothing for {Seconds} s and are ended; their organizations are served from where they were")]
    private partial void LogEnded(int count, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Migrations of silos that died could not be looked for: {Problem}")]
    private partial void LogFailed(string problem);
}
