using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Cluster.Hosting;

/// <summary>
/// Gives back leases of owners that died, so that nobody has to. Only those that ran out long ago: whoever wants an organization takes
/// it as soon as its lease has run out, and this must not come between.
/// </summary>
internal sealed partial class LeaseSweep(HeadStore heads, IOptions<LeaseOptions> options, TimeProvider time, ILogger<LeaseSweep> logger) : BackgroundService
{
    private const int PageSize = 1_000;

    /// <summary>Pages of one round; the next round goes on from there.</summary>
    private const int MaxPages = 20;

    private const double Spread = 0.2;

    private readonly LeaseOptions _options = options.Value;
    private string? _cursor;

    /// <summary>One round.</summary>
    /// <returns>How many leases were given back.</returns>
    internal async Task<int> SweepAsync(CancellationToken cancellationToken)
    {
        var released = 0;
        for (var pages = 0; pages < MaxPages; pages++)
        {
            var page = await heads.ListAsync(_cursor, PageSize, cancellationToken);
            foreach (var entry in page.Entries.Where(IsAbandoned)) released += await ReleaseAsync(entry, cancellationToken);
            _cursor = page.NextCursor;
            if (_cursor is null) break;
        }
        return released;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(_options.SweepInterval * (1 - (Spread * Random.Shared.NextDouble())), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is BucketException or HeadException or OperationCanceledException)
            {
                // The next round begins anew.
                _cursor = null;
                LogFailed(e.Message);
            }
        }
    }

    private bool IsAbandoned(LeaseEntry entry) => entry.State != HeadState.Released && entry.LeftOf(_options) < -_options.SweepAfter;

    private async Task<int> ReleaseAsync(LeaseEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            await heads.ReleaseExpiredAsync(entry.Organization, cancellationToken);
            LogReleased(entry.Organization, entry.Silo, entry.ClusterId, entry.Epoch);
            return 1;
        }
        catch (Exception e) when (e is LeaseHeldException or HeadMovedException)
        {
            // It was taken since it was listed.
            return 0;
        }
        catch (HeadException e)
        {
            // An operator must look at it; those after it are given back.
            LogNotReleased(entry.Organization, e.Message);
            return 0;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: the lease of silo {Silo} of cluster {Cluster}, epoch {Epoch}, ran out long ago and is given back")]
    private partial void LogReleased(OrganizationId organization, string silo, string cluster, long epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the lease ran out long ago and could not be given back: {Problem}")]
    private partial void LogNotReleased(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Leases that ran out could not be looked for: {Problem}")]
    private partial void LogFailed(string problem);
}
