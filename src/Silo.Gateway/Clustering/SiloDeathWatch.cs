using Microsoft.Extensions.Options;

namespace Silo.Gateway.Clustering;

/// <summary>
/// Asks the cluster which silos have died. Orleans tells a client only of those that it was connected to: a call that one silo passed
/// on to another would otherwise wait for its time-out of minutes when that one is killed.
/// </summary>
internal sealed partial class SiloDeathWatch(SiloGrains grains, LostCalls lostCalls, IOptions<ClusteringOptions> options, TimeProvider time, ILogger<SiloDeathWatch> logger)
    : BackgroundService
{
    /// <summary>What a silo passed on before it left in order is answered meanwhile.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly HashSet<string> _dead = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        lostCalls.Begin();
        var isFirst = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var dead = await grains.ActiveDatabases.DeadSilos(stoppingToken).WaitAsync(options.Value.SiloListRefresh * 2, time, stoppingToken);
                // One silo may not know yet what another one has said before: nobody comes back from the dead.
                var isNew = false;
                foreach (var silo in dead) isNew |= _dead.Add(silo);
                if (isNew && !isFirst) EndLostAsync(lostCalls.Renew(), stoppingToken).Ignore();
                isFirst = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever the way to the cluster is in the way of: the next look is soon.
                LogNotAsked(logger, e.Message);
            }
            await Task.Delay(options.Value.SiloListRefresh, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task EndLostAsync(CancellationTokenSource lost, CancellationToken stoppingToken)
    {
        await Task.Delay(Grace, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Not disposed: a call that took its token just before it was replaced may be about to register.
        await lost.CancelAsync();
    }

    [LoggerMessage(LogLevel.Debug, "The cluster did not say which silos have died: {Problem}")]
    private static partial void LogNotAsked(ILogger logger, string problem);
}
