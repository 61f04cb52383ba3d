using Microsoft.Extensions.Options;
using Silo.Storage.Catalog;
using Silo.Storage.Usage;

namespace Silo.Cluster.Warming;

/// <summary>Writes down again and again when organizations are used here, and once a day forgets those that are not any more.</summary>
internal sealed partial class UsageRecording(UsageJournal usage, OrganizationCatalog catalog, IOptions<WarmUpOptions> options, TimeProvider time, ILogger<UsageRecording> logger) : BackgroundService
{
    private static readonly TimeSpan ForgetInterval = TimeSpan.FromDays(1);

    private readonly WarmUpOptions _options = options.Value;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_options.Record) return;
        long? forgot = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(_options.RecordInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await usage.WriteAsync(stoppingToken);
                if (forgot is { } last && time.GetElapsedTime(last) < ForgetInterval) continue;
                await catalog.ForgetUsagesAsync(time.GetUtcNow() - _options.Retention, stoppingToken);
                forgot = time.GetTimestamp();
            }
            catch (CatalogException e)
            {
                LogFailed(usage.Waiting, e.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The use of {Count} organizations could not be recorded now, which delays or loses what warm-up knows of them: {Problem}")]
    private partial void LogFailed(int count, string problem);
}
