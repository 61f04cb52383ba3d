using Microsoft.Extensions.Options;
using Orleans.Statistics;
using Silo.Storage.Databases;

namespace Silo.Cluster.Placement;

/// <summary>What this silo has and uses: with its children, and where it runs in a container, within that one's limits.</summary>
internal sealed class SiloResources(IEnvironmentStatisticsProvider environment, IOptions<DatabaseOptions> options)
{
    private readonly DatabaseOptions _options = options.Value;

    /// <summary>Whether memory is so tight that a database should go for each one that comes.</summary>
    public bool IsMemoryTight => MemoryUse >= _options.MaxMemoryUse;

    private double MemoryUse => 1 - environment.GetEnvironmentStatistics().NormalizedAvailableMemory;

    public SiloLoad Load(int databases) =>
        new(databases, _options.MaxActive, MemoryUse, _options.MaxMemoryUse, environment.GetEnvironmentStatistics().FilteredCpuUsagePercentage / 100);
}
