using Silo.Storage.Catalog;
using Silo.Storage.Gcs;

namespace Silo.Cluster.Hosting;

/// <summary>Does something again and again until the silo stops. While the catalog or the bucket is away, it is told, and the next round tries again.</summary>
/// <param name="interval">From the end of a round to the next.</param>
/// <param name="time">Measures it.</param>
internal sealed class Rounds(TimeSpan interval, TimeProvider time)
{
    /// <summary>Ends when it is stopped, and never fails by that.</summary>
    /// <param name="round">One round.</param>
    /// <param name="failed">Is told what was wrong with the catalog or the bucket.</param>
    /// <param name="stoppingToken">Ends a wait, and a round.</param>
    public async Task RunAsync(Func<CancellationToken, Task> round, Action<string> failed, CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await round(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            // Cancelled: by who was asked, a database that is put away for one.
            catch (Exception e) when (e is CatalogException or BucketException or OperationCanceledException)
            {
                failed(e.Message);
            }
            await Task.Delay(interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
