using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Lease;

namespace Silo.Storage.Gcs;

public sealed partial class OwnershipLease
{
    /// <summary>The wait after a renewal that failed. GCS allows about one change a second per object name.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long giving up may hold up the answer that the activation failed.</summary>
    private static readonly TimeSpan GiveUpTime = TimeSpan.FromSeconds(2);

    private const double Spread = 0.2;

    private readonly CancellationTokenSource _disposing = new();
    private readonly Task _renewing;
    private TimeSpan _renewAt; // monotonic; written under _change, read by the renewing task
    private bool _saidFailing; // of the renewing task
    private bool _saidOver; // of the renewing task

    /// <summary>
    /// Asked at each renewal: the highest mark that the file was stamped with and that the bucket has; 0 when none is known. It must
    /// not wait.
    /// </summary>
    public Func<long> DurableMark { get; set; } = static () => 0;

    /// <summary>What is wrong with the lease, for an operator; null when nothing is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Ends the renewals. A lease that was not given back runs out by itself.</summary>
    public async ValueTask DisposeAsync()
    {
        _ending = true;
        await StopRenewingAsync();
    }

    /// <summary>Gives back, if the bucket can be reached, what an activation took that came to nothing, so that the next one need not wait.</summary>
    public async Task GiveUpAsync()
    {
        using var limit = new CancellationTokenSource(GiveUpTime, _heads.Time);
        try
        {
            await ReleaseAsync(0, limit.Token);
        }
        catch (Exception e) when (e is BucketException or HeadException or HeadMovedException or OperationCanceledException)
        {
            LogNotGivenUp(Organization, e.Message);
        }
    }

    private async Task StopRenewingAsync()
    {
        await _disposing.CancelAsync();
        await _renewing;
    }

    private TimeSpan NextRenewal(TimeSpan sentAt) => sentAt + (_heads.Options.RenewInterval * (1 - (Spread * Random.Shared.NextDouble())));

    private async Task RenewAsync()
    {
        while (await WaitAsync(_renewAt - _heads.Now))
        {
            // A publication meanwhile renewed it too.
            if (_renewAt > _heads.Now) continue;
            try
            {
                await ChangeAsync(known => LeaseUpdate.Renew(known, DurableMark(), _heads.Options, HeadStore.NewOperationId), _disposing.Token);
                _heads.Metrics?.Renewed();
                Recovered();
            }
            catch (HeadMovedException)
            {
                return; // it was said
            }
            catch (OperationCanceledException) when (_disposing.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The bucket as a rule; but whatever it is, a lease that nobody tries to renew any more is lost.
                _heads.Metrics?.NotRenewed();
                Failing(e.Message);
                if (!await WaitAsync(RetryInterval)) return;
            }
        }
    }

    private async Task<bool> WaitAsync(TimeSpan wait)
    {
        // Delays count whole milliseconds and leave out the rest: rounded down, the last part of one would be waited for by spinning.
        if (wait > TimeSpan.Zero) await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), _heads.Time, _disposing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !_disposing.IsCancellationRequested;
    }

    private void Failing(string problem)
    {
        Problem = $"The lease could not be renewed: {problem}";
        if (!_saidFailing) LogFailing(Organization, problem, Left.TotalSeconds);
        if (!_saidOver && !IsRunning)
        {
            _heads.Metrics?.Expired();
            LogOver(Organization, problem);
        }
        (_saidFailing, _saidOver) = (true, !IsRunning);
    }

    private void Recovered()
    {
        if (_saidFailing) LogRecovered(Organization);
        (Problem, _saidFailing, _saidOver) = (null, false, false);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the lease could not be renewed and is tried again: {Problem} Writes go on for {Seconds:0} s")]
    private partial void LogFailing(OrganizationId organization, string problem, double seconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the lease has run out, and writes are refused until it can be renewed: {Problem}")]
    private partial void LogOver(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: the lease is renewed again; writes go on")]
    private partial void LogRecovered(OrganizationId organization);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization} has another owner and is left to it: {Problem}")]
    private partial void LogMoved(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the lease of an activation that failed could not be given back and has to run out: {Problem}")]
    private partial void LogNotGivenUp(OrganizationId organization, string problem);
}
