using Silo.Storage.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>Lets <see cref="ReplicaRetention"/> run for as long as the silo does.</summary>
internal sealed class RetentionSweep(ReplicaRetention retention) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
        await retention.RunAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
