using Microsoft.Extensions.Options;

namespace Silo.Gateway.Clustering;

/// <summary>
/// Asks the cluster which silos have died. Orleans tells a client of none: a call that a silo had when it was killed, or that one silo
/// passed on to another that was, would otherwise wait for its time-out of minutes.
/// </summary>
internal sealed partial class SiloDeathWatch(SiloGrains grains, LostCalls lostCalls, IOptions<ClusteringOptions> options, TimeProvider time, ILogger<SiloDeathWatch> logger)
    : BackgroundService
{
    /// <summary>What a silo passed on before it left in order is answered meanwhile.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The least for which calls may still go to a silo that is declared dead: until it has read so itself (every 3 s) and has ended.
    /// </summary>
    private static readonly TimeSpan Dying = TimeSpan.FromSeconds(6);

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
                if (isNew && !isFirst) EndLostAsync(stoppingToken).Ignore();
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

    private async Task EndLostAsync(CancellationToken stoppingToken)
    {
        // Not disposed: a call that took its token just before it was replaced may be about to register.
        var madeBefore = lostCalls.Renew();
        await Task.Delay(Grace, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await madeBefore.CancelAsync();
        // It may not have ended yet, and this gateway may not have heard: what comes now can go to it as well.
        var heard = options.Value.SiloListRefresh + TimeSpan.FromSeconds(1);
        await Task.Delay((heard > Dying ? heard : Dying) - Grace, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await lostCalls.Renew().CancelAsync();
    }

    [LoggerMessage(LogLevel.Debug, "The cluster did not say which silos have died: {Problem}")]
    private static partial void LogNotAsked(ILogger logger, string problem);
}
