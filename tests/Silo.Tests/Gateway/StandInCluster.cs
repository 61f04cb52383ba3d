using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.TestingHost;

namespace Silo.Tests.Gateway;

/// <summary>One real silo with the stand-in grains, for all tests of the gateway.</summary>
public sealed class StandInCluster : IAsyncLifetime
{
    private readonly InProcessTestCluster _cluster;

    public StandInCluster()
    {
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSilo((_, silo) => Host(silo, StandIns));
        _cluster = builder.Build();
    }

    public StandIns StandIns { get; } = new();

    public IClusterClient Client => _cluster.Client;

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    /// <summary>Lets a silo have these grains and no others of ours.</summary>
    public static void Host(ISiloBuilder silo, StandIns standIns)
    {
        silo.Services.AddSingleton(standIns);
        silo.Configure<GrainTypeOptions>(types => types.Classes.RemoveWhere(type => type.FullName!.StartsWith("Silo.Cluster.", StringComparison.Ordinal)));
    }

    /// <summary>For a silo of this test process that has the real grains.</summary>
    public static void LeaveOut(ISiloBuilder silo) =>
        silo.Configure<GrainTypeOptions>(types => types.Classes.RemoveWhere(type => type.Assembly == typeof(StandInCluster).Assembly && type.Name.StartsWith("StandIn", StringComparison.Ordinal)));
}

[CollectionDefinition(Name)]
public sealed class GatewayCollection : ICollectionFixture<StandInCluster>
{
    public const string Name = "gateway";
}
