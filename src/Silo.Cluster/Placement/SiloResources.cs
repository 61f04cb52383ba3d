using Microsoft.Extensions.Options;
using Orleans.Statistics;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Cluster.Placement;

/// <summary>What this silo has and uses: with its children, and where it runs in a container, within that one's limits.</summary>
internal sealed class SiloResources(IEnvironmentStatisticsProvider environment, BucketClient bucket, IOptions<DatabaseOptions> options)
{
    /// <summary>Requests that are not answered at once are repeated; what lasts longer is no hiccup.</summary>
    private static readonly TimeSpan Hiccup = TimeSpan.FromSeconds(5);

    private readonly DatabaseOptions _options = options.Value;
    private Task _probe = Task.CompletedTask;

    /// <summary>Whether memory is so tight that a database should go for each one that comes.</summary>
    public bool IsMemoryTight => MemoryUse >= _options.MaxMemoryUse;

    /// <summary>Whether the bucket does not answer this silo.</summary>
    public bool IsCutOff => bucket.Silence > Hiccup;

    private bool ReachesBucket => bucket.Silence == TimeSpan.Zero && bucket.SinceAnswer < Hiccup * 2;

    private double MemoryUse => 1 - environment.GetEnvironmentStatistics().NormalizedAvailableMemory;

    public SiloLoad Load(int databases)
    {
        var cpu = environment.GetEnvironmentStatistics().FilteredCpuUsagePercentage / 100;
        return new(databases, _options.MaxActive, MemoryUse, _options.MaxMemoryUse, cpu, IsCutOff, ReachesBucket);
    }

    /// <summary>Asks the bucket, unless something else just did: a silo without databases would not know whether it could serve those of another one.</summary>
    public void ProbeBucket()
    {
        if (bucket.SinceAnswer > Hiccup && _probe.IsCompleted) _probe = ProbeAsync();
    }

    private async Task ProbeAsync()
    {
        try
        {
            await bucket.ExistsAnyAsync("heads/", CancellationToken.None);
        }
        catch (BucketException)
        {
            // The next look asks again.
        }
    }
}
