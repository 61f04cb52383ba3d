using Microsoft.Extensions.Options;
using Silo.Storage.Copies;
using Silo.Storage.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>Deletes what copies of organizations left in the bucket that came to nothing.</summary>
internal sealed partial class CopySweep(OrganizationCopies copies, IOptions<DatabaseOptions> options, TimeProvider time, ILogger<CopySweep> logger) : BackgroundService
{
    private static readonly TimeSpan LongestInterval = TimeSpan.FromHours(1);

    private readonly TimeSpan _retention = options.Value.AbandonedCopyRetention;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new Rounds(_retention < LongestInterval ? _retention : LongestInterval, time)
        .RunAsync(token => copies.SweepAsync(_retention, time.GetUtcNow(), token), LogFailed, stoppingToken);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Copies that came to nothing could not be looked for: {Problem}")]
    private partial void LogFailed(string problem);
}
