using Microsoft.Extensions.Options;
using Silo.Storage.Catalog;
using Silo.Storage.Copies;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Cluster.Hosting;

/// <summary>Deletes what copies of organizations left in the bucket that came to nothing.</summary>
internal sealed partial class CopySweep(OrganizationCopies copies, IOptions<DatabaseOptions> options, TimeProvider time, ILogger<CopySweep> logger) : BackgroundService
{
    private static readonly TimeSpan LongestInterval = TimeSpan.FromHours(1);

    private readonly TimeSpan _retention = options.Value.AbandonedCopyRetention;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await copies.SweepAsync(_retention, time.GetUtcNow(), stoppingToken);
            }
            catch (Exception e) when (e is BucketException or CatalogException)
            {
                LogFailed(e.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            await Task.Delay(_retention < LongestInterval ? _retention : LongestInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Copies that came to nothing could not be looked for: {Problem}")]
    private partial void LogFailed(string problem);
}
