using Microsoft.Extensions.Options;
using Silo.Cluster.Hosting;
using Silo.Storage.Catalog;
using Silo.Storage.Usage;

namespace Silo.Cluster.Warming;

/// <summary>Writes down again and again when organizations are used here, and once a day forgets those that are not any more.</summary>
internal sealed partial class UsageRecording(UsageJournal usage, OrganizationCatalog catalog, IOptions<WarmUpOptions> options, TimeProvider time, ILogger<UsageRecording> logger) : BackgroundService
{
    private static readonly TimeSpan ForgetInterval = TimeSpan.FromDays(1);

    private readonly WarmUpOptions _options = options.Value;
    private long? _forgot;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _options.Record
        ? new Rounds(_options.RecordInterval, time).RunAsync(RecordAsync, problem => LogFailed(usage.Waiting, problem), stoppingToken)
        : Task.CompletedTask;

    private async Task RecordAsync(CancellationToken cancellationToken)
    {
        await usage.WriteAsync(cancellationToken);
        if (_forgot is { } last && time.GetElapsedTime(last) < ForgetInterval) return;
        await catalog.ForgetUsagesAsync(time.GetUtcNow() - _options.Retention, cancellationToken);
        _forgot = time.GetTimestamp();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The use of {Count} organizations could not be recorded now, which delays or loses what warm-up knows of them: {Problem}")]
    private partial void LogFailed(int count, string problem);
}
