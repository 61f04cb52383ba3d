using Microsoft.Extensions.Options;
using Silo.Cluster.Membership;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Sqlite;

namespace Silo.Cluster.Hosting;

/// <summary>What must be right before a silo takes its first call; whatever is not ends the start with a sentence that says what to do.</summary>
/// <param name="catalog">Migrated here.</param>
/// <param name="membership">Likewise: Orleans needs its tables.</param>
/// <param name="directory">Taken by being resolved, and held as long as the host.</param>
/// <param name="options">Where the data folder is.</param>
internal sealed class SiloPreparation(OrganizationCatalog catalog, MembershipTables membership, DataDirectoryLock directory, IOptions<DatabaseOptions> options) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        OrgFiles.EmptyTemporary(options.Value.DataDirectory);
        SqliteTemporaryFiles.PutInto(options.Value.DataDirectory);
        await catalog.MigrateAsync(cancellationToken);
        await membership.MigrateAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        directory.Dispose();
        return Task.CompletedTask;
    }
}
