using Silo.Storage.Catalog;
using Silo.Storage.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>What must be right before a silo takes its first call; whatever is not ends the start with a sentence that says what to do.</summary>
/// <param name="catalog">Migrated here.</param>
/// <param name="directory">Taken by being resolved, and held as long as the host.</param>
internal sealed class SiloPreparation(OrganizationCatalog catalog, DataDirectoryLock directory) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => catalog.MigrateAsync(cancellationToken);

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
