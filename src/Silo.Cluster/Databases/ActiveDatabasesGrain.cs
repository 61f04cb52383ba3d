using Orleans.Concurrency;
using Orleans.Runtime.Services;
using Silo.Contracts;
using Silo.Contracts.Databases;

namespace Silo.Cluster.Databases;

/// <summary>Asks every silo what it holds. A silo that does not answer is left out and logged: a list with a gap beats none.</summary>
[StatelessWorker(1), GrainType("active-databases")]
internal sealed partial class ActiveDatabasesGrain(SiloDatabasesClient silos, ISiloStatusOracle membership, ILogger<ActiveDatabasesGrain> logger) : Grain, IActiveDatabasesGrain
{
    private static readonly TimeSpan SiloTimeout = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<DatabaseStatus>> List(CancellationToken cancellationToken)
    {
        var answers = await AskAllAsync(silo => silo.List(), cancellationToken);
        return [.. answers.SelectMany(answer => answer).OrderBy(status => status.Organization.Value, StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public async Task<DatabaseStatus?> Find(OrganizationId organization, CancellationToken cancellationToken)
    {
        var answers = await AskAllAsync(silo => silo.Find(organization), cancellationToken);
        return answers.OfType<DatabaseStatus>().FirstOrDefault();
    }

    /// <inheritdoc/>
    public async Task<bool> Deactivate(OrganizationId organization, CancellationToken cancellationToken)
    {
        if (await Find(organization, cancellationToken) is null) return false;
        DeactivateAsync(organization).Ignore();
        return true;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> DeadSilos(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>(
        [.. membership.GetApproximateSiloStatuses(onlyActive: false).Where(silo => silo.Value == SiloStatus.Dead).Select(silo => silo.Key.ToString())]);

    private async Task DeactivateAsync(OrganizationId organization)
    {
        try
        {
            await GrainFactory.GetGrain<IOrgDatabaseGrain>(organization.Value).Deactivate(CancellationToken.None);
        }
        catch (OrganizationException e)
        {
            LogStays(organization, e.Message);
        }
        catch (Exception e)
        {
            // The operator has been answered; this is the end of the turn that goes on without one.
            LogNotDeactivated(organization, e);
        }
    }

    private async Task<IReadOnlyList<T>> AskAllAsync<T>(Func<ISiloDatabases, Task<T>> ask, CancellationToken cancellationToken)
    {
        // What this silo knows, and not the membership's table: that may be out of reach while everything serves.
        var answers = await Task.WhenAll(membership.GetActiveSilos().Select(host => AskAsync(host, ask, cancellationToken)));
        return [.. answers.Where(answer => answer.Answered).Select(answer => answer.Value!)];
    }

    private async Task<(bool Answered, T? Value)> AskAsync<T>(SiloAddress host, Func<ISiloDatabases, Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return (true, await ask(silos.On(host)).WaitAsync(SiloTimeout, cancellationToken));
        }
        catch (Exception e) when (e is TimeoutException or OrleansException)
        {
            LogNoAnswer(host, e.Message);
            return (false, default);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Silo {Host} did not say which databases it holds: {Problem}")]
    private partial void LogNoAnswer(SiloAddress host, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the database is not put away: {Problem}")]
    private partial void LogStays(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the database was not put away")]
    private partial void LogNotDeactivated(OrganizationId organization, Exception exception);
}

/// <summary>Reaches the <see cref="ISiloDatabases"/> of a silo.</summary>
internal sealed class SiloDatabasesClient(IServiceProvider services) : GrainServiceClient<ISiloDatabases>(services)
{
    public ISiloDatabases On(SiloAddress silo) => GetGrainService(silo);
}
