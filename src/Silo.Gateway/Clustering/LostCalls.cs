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
