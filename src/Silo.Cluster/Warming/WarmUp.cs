using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Usage;

namespace Silo.Cluster.Warming;

/// <summary>
/// Opens databases before somebody asks for them: the most used ones when the cluster has started or a silo has come or gone, and with
/// <c>WarmUp:Predict</c> those that are likely to be needed in a moment. One after the other, at a bounded rate, and only while there is room.
/// </summary>
internal sealed partial class WarmUp(
    IGrainFactory grains, OrganizationCatalog catalog, UsageJournal usage, WarmUpCluster cluster, WarmUpMetrics metrics,
    IOptions<WarmUpOptions> options, IOptions<DatabaseOptions> databases, TimeProvider time, ILogger<WarmUp> logger) : BackgroundService
{
    /// <summary>By how much the clocks of silos may differ that write down what is used.</summary>
    private static readonly TimeSpan ClockDifference = TimeSpan.FromMinutes(2);

    private readonly WarmUpOptions _options = options.Value;
    private readonly UsageForecast _forecast = options.Value.Forecast();
    private DateTimeOffset _learnedUntil = DateTimeOffset.UnixEpoch;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_options.Record) return;
        IReadOnlyCollection<string> warmed = [];
        await Task.Delay(_options.StartDelay, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var silos = cluster.Silos();
                if (!warmed.ToHashSet().SetEquals(silos))
                {
                    if (await OpenMostUsedAsync(silos, stoppingToken)) warmed = silos;
                }
                if (_options.Predict)
                {
                    await LearnAsync(stoppingToken);
                    await OpenExpectedAsync(silos, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is CatalogException or OperationCanceledException)
            {
                // The next look begins anew.
                LogFailed(e.Message);
            }
            await Task.Delay(_options.LookInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>False when there was no room even for the first one: at a start nobody has said yet what room there is. The next look tries again.</returns>
    private async Task<bool> OpenMostUsedAsync(IReadOnlyCollection<string> silos, CancellationToken cancellationToken)
    {
        if (_options.MostUsed == 0) return true;
        var found = await catalog.ListMostUsedAsync(_options.MostUsed, cancellationToken);
        foreach (var (organization, _, profile) in found) usage.Learn(organization, profile);
        var (tried, opened) = (0, 0);
        foreach (var organization in found.Select(known => known.Organization).Where(organization => cluster.IsMine(organization, silos)))
        {
            if (!IsRoom())
            {
                if (tried == 0) return false;
                break;
            }
            tried++;
            if (await OpenAsync(organization, databases.Value.IdleTimeout, cancellationToken)) opened++;
        }
        if (opened > 0) LogOpened(opened);
        return true;
    }

    private async Task OpenExpectedAsync(IReadOnlyCollection<string> silos, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        // The most used first: there may not be room for all.
        var due = from known in usage.Known
                  let expected = _forecast.Next(known.Value, now, now + _options.LookInterval)
                  where expected is not null && cluster.IsMine(known.Key, silos)
                  orderby known.Value.Rank descending
                  select (Organization: known.Key, expected.Value.Until);
        foreach (var (organization, until) in due.ToList())
        {
            if (!IsRoom()) break;
            await OpenAsync(organization, until - time.GetUtcNow(), cancellationToken);
        }
    }

    // What other silos have written down since.
    private async Task LearnAsync(CancellationToken cancellationToken)
    {
        var (since, after) = (_learnedUntil - ClockDifference, default(OrganizationId?));
        IReadOnlyList<OrganizationUsage> page;
        do
        {
            page = await catalog.ListUsagesAsync(since, after, OrganizationCatalog.MaxUsages, cancellationToken);
            foreach (var (organization, _, profile) in page) usage.Learn(organization, profile);
            if (page.Count > 0) (since, after) = (page[^1].ChangedAt, page[^1].Organization);
            if (since > _learnedUntil) _learnedUntil = since;
        }
        while (page.Count == OrganizationCatalog.MaxUsages);
    }

    private bool IsRoom()
    {
        if (cluster.HasRoom()) return true;
        metrics.HadNoRoom();
        return false;
    }

    private async Task<bool> OpenAsync(OrganizationId organization, TimeSpan keep, CancellationToken cancellationToken)
    {
        try
        {
            await grains.GetGrain<IOrgDatabaseGrain>(organization.Value).OpenAhead(keep, cancellationToken);
            metrics.Opened();
            return true;
        }
        catch (Exception e) when (e is OrganizationException or TimeoutException or OrleansException)
        {
            // Whoever needs it asks for it, and is told.
            metrics.Failed();
            LogNotOpened(organization, e.Message);
            return false;
        }
        finally
        {
            await Task.Delay(TimeSpan.FromSeconds(1 / _options.MaxPerSecond), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} of the most used organizations are open before anybody asks for them")]
    private partial void LogOpened(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: could not be opened before somebody asks for it: {Problem}")]
    private partial void LogNotOpened(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "It could not be looked up which organizations are used most, so none is opened before somebody asks for it: {Problem}")]
    private partial void LogFailed(string problem);
}
