using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>
/// After a crash, opens the databases whose files are still on this machine, so that what was not uploaded reaches the bucket
/// without waiting for somebody to ask for it.
/// </summary>
internal sealed partial class LeftoverRecovery(IGrainFactory grains, IOptions<DatabaseOptions> options, ILogger<LeftoverRecovery> logger) : BackgroundService
{
    private const int AtOnce = 4;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        OrganizationId[] left = [.. OrgFiles.FindOrganizations(options.Value.DataDirectory)];
        if (left.Length == 0) return;
        LogFound(left.Length);
        await Parallel.ForEachAsync(left, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken }, RecoverAsync)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async ValueTask RecoverAsync(OrganizationId organization, CancellationToken cancellationToken)
    {
        try
        {
            await grains.GetGrain<IOrgDatabaseGrain>(organization.Value).Warm(cancellationToken);
        }
        catch (Exception e) when (e is OrganizationException or TimeoutException or OrleansException)
        {
            LogFailed(organization, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} organizations have files from before this start; they are opened, so that nothing in them is lost")]
    private partial void LogFound(int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: its files from before this start could not be opened and stay: {Problem}")]
    private partial void LogFailed(OrganizationId organization, string problem);
}
