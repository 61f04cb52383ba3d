using System.Net;
using System.Net.Sockets;
using Orleans.Configuration;
using Silo.Cluster.Hosting;
using Silo.Contracts.Hosting;
using Silo.Storage.Lease;

namespace Silo.Cluster.Membership;

/// <summary>Makes a silo a member of its cluster: where silos are listed, how they watch each other, and which grain is where.</summary>
internal static class MembershipHosting
{
    /// <summary>Unanswered questions after which a silo suspects another one.</summary>
    private const int MissedProbes = 4;

    /// <summary>How many times as long an answer is waited for when they have come late of late.</summary>
    private const int MaxPatience = 4;

    /// <summary>
    /// How often a silo looks whether it was declared dead itself. One that is cut off from the others hears it nowhere else, and is to
    /// have ended, and its Litestreams with it (1.6 s), before these take its organizations: <see cref="LeaseOptions.DrainTime"/>, 5 s.
    /// </summary>
    private static readonly TimeSpan TableRefresh = TimeSpan.FromSeconds(3);

    public static void AddMembership(this ISiloBuilder silo, ClusteringOptions clustering)
    {
        var siloPort = clustering.SiloPort == 0 ? FreePort() : clustering.SiloPort;
        var gatewayPort = clustering.GatewayPort == 0 ? FreePort() : clustering.GatewayPort;
        if (ClusterDatabase.Of(clustering.Provider, clustering.Connection) is { } database)
        {
            silo.Configure<ClusterOptions>(options => options.ServiceId = options.ClusterId = clustering.ClusterId);
            silo.UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = (database.Invariant, database.ConnectionString));
            silo.AddEndpoints(clustering, siloPort, gatewayPort);
        }
        else
        {
            silo.UseLocalhostClustering(siloPort, gatewayPort, serviceId: clustering.ClusterId, clusterId: clustering.ClusterId);
        }
        silo.Configure<EndpointOptions>(endpoints =>
        {
            var address = endpoints.SiloListeningEndpoint?.Address ?? endpoints.AdvertisedIPAddress;
            if (clustering.ListeningSiloPort is { } forSilos) endpoints.SiloListeningEndpoint = new IPEndPoint(address, forSilos);
            if (clustering.ListeningGatewayPort is { } forGateways) endpoints.GatewayListeningEndpoint = new IPEndPoint(address, forGateways);
        });
        if (clustering.Kubernetes) silo.UseKubernetesHosting();

        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.ProbeTimeout = options.MinProbeTimeout = clustering.ProbeInterval;
            options.MaxProbeTimeout = clustering.ProbeInterval * MaxPatience;
            options.NumMissedProbesLimit = MissedProbes;
            // Orleans would spare a silo for as long as anything comes from it. One that is heard and does not hear would then never be
            // replaced, and every call to it wait for its time-out; and one that is cut off would have twice as long.
            options.EnableConnectionLivenessCheck = false;
            options.TableRefreshTimeout = TableRefresh;
        });
        // The strongest that Orleans has: the others let a silo start an organization that another one is still putting away. It counts
        // from the last sign of life of who died and is over when that is found out: the head decides who writes, and a wait here would
        // also hold up organizations that only have their entry with the dead one.
        silo.AddDistributedGrainDirectory();
        silo.Configure<GrainDirectoryOptions>(options => options.RangeLeaseDuration = clustering.ProbeInterval * MaxPatience * MissedProbes);
    }

    private static void AddEndpoints(this ISiloBuilder silo, ClusteringOptions clustering, int siloPort, int gatewayPort)
    {
        if (clustering.AdvertisedAddress is null && clustering.Provider == ClusteringProvider.Postgres)
        {
            silo.ConfigureEndpoints(siloPort, gatewayPort, listenOnAnyHostAddress: true);
            return;
        }
        var address = IPAddress.Parse(clustering.AdvertisedAddress ?? "127.0.0.1");
        silo.ConfigureEndpoints(address, siloPort, gatewayPort, listenOnAnyHostAddress: !IPAddress.IsLoopback(address));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
