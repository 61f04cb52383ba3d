using Microsoft.Extensions.Options;

namespace Silo.Gateway.Clustering;

/// <summary>Ends the wait for answers that will not come, because the silo that was to give them has died.</summary>
internal sealed class LostCalls
{
    private volatile CancellationTokenSource? _current;

    /// <summary>Cancelled some time after a silo has died that may have had the call. Taken before the call is made.</summary>
    public CancellationToken Token => _current?.Token ?? CancellationToken.None;

    /// <summary>From now on calls can be lost: the silos are not in this process.</summary>
    public void Begin() => _current = new CancellationTokenSource();

    /// <summary>Gives what comes a new token.</summary>
    /// <returns>What cancels those that were made before.</returns>
    public CancellationTokenSource Renew() => Interlocked.Exchange(ref _current, new CancellationTokenSource())!;
}

/// <summary>
/// Asks the cluster which silos have died. Orleans tells a client only of those that it was connected to: a call that one silo passed
/// on to another would otherwise wait for its time-out of minutes when that one is killed.
/// </summary>
internal sealed partial class SiloDeathWatch(IGrainFactory grains, LostCalls lostCalls, IOptions<ClusteringOptions> options, TimeProvider time, ILogger<SiloDeathWatch> logger)
    : BackgroundService
{
    /// <summary>What a silo passed on before it left in order is answered meanwhile.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly HashSet<SiloAddress> _dead = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        lostCalls.Begin();
        var isFirst = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var hosts = await grains.GetGrain<IManagementGrain>(0).GetHosts(onlyActive: false, stoppingToken).WaitAsync(options.Value.SiloListRefresh * 2, time, stoppingToken);
                var isNew = false;
                foreach (var (silo, status) in hosts) isNew |= status == SiloStatus.Dead && _dead.Add(silo);
                _dead.IntersectWith(hosts.Keys);
                if (isNew && !isFirst) EndLostAsync(lostCalls.Renew(), stoppingToken).Ignore();
                isFirst = false;
            }
            // Before the first connection grains are not known at all (ArgumentException).
            catch (Exception e) when (e is OrleansException or TimeoutException or ArgumentException or OperationCanceledException or InvalidOperationException)
            {
                if (!stoppingToken.IsCancellationRequested) LogNotAsked(logger, e.Message);
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
