using System.Globalization;

namespace Silo.SystemTests;

/// <summary>Silos that do not reach each other any more, and reach all else: the bucket, PostgreSQL, and the gateways.</summary>
[Collection(OneCluster.Name)]
public sealed class CutBetweenSilosTests
{
    [Fact]
    public async Task Silo_CutOffFromTheOthers_EndsAndTakesItsShareWhenItIsBack()
    {
        await using var busy = await BusyCluster.StartAsync();
        var cluster = busy.Cluster;
        var its = (await cluster.PlacesAsync())[2];

        var cut = busy.Now;
        foreach (var other in (int[])[0, 1])
        {
            cluster.Network.Cut(2, other);
            cluster.Network.Cut(other, 2);
        }
        await busy.UntilWrittenAsync();
        Assert.NotEqual(0, await cluster.Silos[2].ExitAsync());
        busy.Report("cut off both ways", cut, its);

        cluster.Network.Heal();
        await cluster.StartSiloAsync(2);
        string[] more = BusyCluster.Numbered("more", 3);
        await cluster.CreateOrganizationsAsync(more);
        foreach (var organization in more) (await cluster.Member(organization).AddContactAsync("Ada")).Is(201);
        Assert.NotEmpty((await cluster.PlacesAsync()).GetValueOrDefault(2, []).Intersect(more));
        await busy.UntilWrittenAsync();
        await busy.CheckAsync(its);
    }

    [Fact]
    public async Task Silo_ThatIsHeardAndDoesNotHear_IsReplacedAndOfTwoThatAreLeftOneGoesOn()
    {
        await using var busy = await BusyCluster.StartAsync();
        var cluster = busy.Cluster;
        var its = (await cluster.PlacesAsync())[2];

        var cut = busy.Now;
        foreach (var other in (int[])[0, 1]) cluster.Network.Cut(other, 2);
        await busy.UntilWrittenAsync();
        Assert.NotEqual(0, await cluster.Silos[2].ExitAsync());
        busy.Report("cut off one way", cut, its);

        var places = await cluster.PlacesAsync();
        cut = busy.Now;
        cluster.Network.Cut(0, 1);
        cluster.Network.Cut(1, 0);
        Assert.NotEqual(0, await await Task.WhenAny(cluster.Silos[0].ExitAsync(), cluster.Silos[1].ExitAsync()));
        await busy.UntilWrittenAsync();
        var loser = Assert.Single([0, 1], silo => cluster.Silos[silo].HasEnded);
        busy.Report("two cut off from each other", cut, places[loser]);
        await busy.CheckAsync([.. its, .. places[loser]]);
    }

    /// <summary>Three silos on a network that can be cut, and members of organizations of both durabilities, who use them all the time.</summary>
    private sealed class BusyCluster(SiloCluster cluster) : IAsyncDisposable
    {
        private static readonly string[] Replicated = Numbered("replicated", 6);
        private static readonly string[] Local = Numbered("local", 6);

        private readonly ClusterLoad _replicated = ClusterLoad.Start(cluster, Replicated, durability: "replicated");
        private readonly ClusterLoad _local = ClusterLoad.Start(cluster, Local);

        public SiloCluster Cluster => cluster;

        /// <summary>The moment, as the requests have it.</summary>
        public TimeSpan Now => _local.Now;

        private ClusterLoad[] Loads => [_replicated, _local];

        /// <summary>Starts it, and waits until all are written to.</summary>
        public static async Task<BusyCluster> StartAsync()
        {
            var cluster = await SiloCluster.StartOnNetworkAsync(silos: 3, gateways: 2);
            IAsyncDisposable started = cluster;
            try
            {
                await cluster.CreateOrganizationsAsync([.. Replicated, .. Local]);
                var busy = new BusyCluster(cluster);
                started = busy;
                await busy.UntilWrittenAsync();
                return busy;
            }
            catch
            {
                await started.DisposeAsync();
                throw;
            }
        }

        public static string[] Numbered(string name, int count) => [.. Enumerable.Range(1, count).Select(number => string.Create(CultureInfo.InvariantCulture, $"{name}-{number}"))];

        public async Task UntilWrittenAsync()
        {
            await _replicated.UntilWrittenAsync(Replicated, 3);
            await _local.UntilWrittenAsync(Local, 3);
        }

        /// <summary>Nothing that was promised is missing, not even what was only local: who is declared dead has ended before another one goes on. Those whose silo was not cut off have met no failure.</summary>
        public async Task CheckAsync(List<string> its)
        {
            foreach (var load in Loads) await load.CheckAsync();
            Assert.DoesNotContain(Loads.SelectMany(load => load.Failures), request => !its.Contains(request.Organization));
        }

        public void Report(string what, TimeSpan cut, List<string> its)
        {
            var requests = Loads.SelectMany(load => load.All).Where(request => request.Begun + request.Took > cut).ToList();
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{what}: the longest wait was {Longest(requests.Where(request => its.Contains(request.Organization)))} for its {its.Count} organizations, {Longest(requests.Where(request => !its.Contains(request.Organization)))} for the others; all are written to after {(_replicated.Now - cut).TotalSeconds:0.0} s");
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var load in Loads) await load.DisposeAsync();
            await cluster.DisposeAsync();
        }

        private static string Longest(IEnumerable<ClusterLoad.Request> requests) => string.Create(CultureInfo.InvariantCulture, $"{requests.Select(request => request.Took.TotalSeconds).DefaultIfEmpty().Max():0.0} s");
    }
}
