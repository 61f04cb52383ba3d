using Orleans.Services;
using Silo.Cluster.Placement;
using Silo.Contracts;
using Silo.Contracts.Databases;

namespace Silo.Cluster.Databases;

/// <summary>One per silo: tells what that silo holds. Asking touches no organization's grain.</summary>
[Alias("silo.ISiloDatabases")]
internal interface ISiloDatabases : IGrainService
{
    [Alias("list")]
    Task<IReadOnlyList<DatabaseStatus>> List();

    [Alias("find")]
    Task<DatabaseStatus?> Find(OrganizationId organization);

    [Alias("load")]
    Task<SiloLoad> Load();
}

[Orleans.Concurrency.Reentrant]
internal sealed class SiloDatabases(ActiveDatabases active, SiloResources resources, GrainId id, Orleans.Runtime.Silo silo, ILoggerFactory loggers)
    : GrainService(id, silo, loggers), ISiloDatabases
{
    public Task<IReadOnlyList<DatabaseStatus>> List() =>
        Task.FromResult<IReadOnlyList<DatabaseStatus>>([.. active.All.Select(activation => activation.Status())]);

    public Task<DatabaseStatus?> Find(OrganizationId organization) => Task.FromResult(active.Find(organization)?.Status());

    public Task<SiloLoad> Load() => Task.FromResult(resources.Load(active.Count));
}
