using System.Globalization;

namespace Silo.SystemTests;

/// <summary>Silos that do not reach each other any more, and reach all else: the bucket, PostgreSQL, and the gateways.</summary>
[Collection(WholeMachine.Name)]
public sealed class CutBetweenSilosTests
{
    private static readonly string[] Replicated = Numbered("replicated", 6);
    private static readonly string[] Local = Numbered("local", 6);

    [Fact]
    public async Task Silo_CutOffFromTheOthers_EndsAndTakesItsShareWhenItIsBack()
    {
        await using var cluster = await SiloCluster.StartOnNetworkAsync(silos: 3, gateways: 2);
        await cluster.CreateOrganizationsAsync([.. Replicated, .. Local]);
        await using var replicated = ClusterLoad.Start(cluster, Replicated, durability: "replicated");
        await using var local = ClusterLoad.Start(cluster, Local);
        await UntilWrittenAsync(replicated, local);
        var its = (await cluster.PlacesAsync())[2];

        var cut = local.Now;
        foreach (var other in (int[])[0, 1])
        {
            cluster.Network.Cut(2, other);
            cluster.Network.Cut(other, 2);
        }
        await UntilWrittenAsync(replicated, local);
        Assert.NotEqual(0, await cluster.Silos[2].ExitAsync());
        Report("cut off both ways", cut, its, replicated, local);

        cluster.Network.Heal();
        await cluster.StartSiloAsync(2);
        string[] more = Numbered("more", 3);
        await cluster.CreateOrganizationsAsync(more);
        foreach (var organization in more) (await cluster.Member(organization).AddContactAsync("Ada")).Is(201);
        Assert.NotEmpty((await cluster.PlacesAsync()).GetValueOrDefault(2, []).Intersect(more));
        await UntilWrittenAsync(replicated, local);
        await CheckAsync(its, replicated, local);
    }

    [Fact]
    public async Task Silo_ThatIsHeardAndDoesNotHear_IsReplacedAndOfTwoThatAreLeftOneGoesOn()
    {
        await using var cluster = await SiloCluster.StartOnNetworkAsync(silos: 3, gateways: 2);
        await cluster.CreateOrganizationsAsync([.. Replicated, .. Local]);
        await using var replicated = ClusterLoad.Start(cluster, Replicated, durability: "replicated");
        await using var local = ClusterLoad.Start(cluster, Local);
        await UntilWrittenAsync(replicated, local);
        var its = (await cluster.PlacesAsync())[2];

        var cut = local.Now;
        foreach (var other in (int[])[0, 1]) cluster.Network.Cut(other, 2);
        await UntilWrittenAsync(replicated, local);
        Assert.NotEqual(0, await cluster.Silos[2].ExitAsync());
        Report("cut off one way", cut, its, replicated, local);

        var places = await cluster.PlacesAsync();
        cut = local.Now;
        cluster.Network.Cut(0, 1);
        cluster.Network.Cut(1, 0);
        Assert.NotEqual(0, await await Task.WhenAny(cluster.Silos[0].ExitAsync(), cluster.Silos[1].ExitAsync()));
        await UntilWrittenAsync(replicated, local);
        var loser = Assert.Single([0, 1], silo => cluster.Silos[silo].HasEnded);
        Report("two cut off from each other", cut, places[loser], replicated, local);
        await CheckAsync([.. its, .. places[loser]], replicated, local);
    }

    private static string[] Numbered(string name, int count) => [.. Enumerable.Range(1, count).Select(number => string.Create(CultureInfo.InvariantCulture, $"{name}-{number}"))];

    private static async Task UntilWrittenAsync(ClusterLoad replicated, ClusterLoad local)
    {
        await replicated.UntilWrittenAsync(Replicated, 3);
        await local.UntilWrittenAsync(Local, 3);
    }

    /// <summary>Nothing that was promised is missing, not even what was only local: who is declared dead has ended before another one goes on. Those whose silo was not cut off have met no failure.</summary>
    private static async Task CheckAsync(List<string> its, params ClusterLoad[] loads)
    {
        foreach (var load in loads) await load.CheckAsync();
        Assert.DoesNotContain(loads.SelectMany(load => load.Failures), request => !its.Contains(request.Organization));
    }

    private static void Report(string what, TimeSpan cut, List<string> its, params ClusterLoad[] loads)
    {
        var requests = loads.SelectMany(load => load.All).Where(request => request.Begun + request.Took > cut).ToList();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{what}: the longest wait was {Longest(requests.Where(request => its.Contains(request.Organization)))} for its {its.Count} organizations, {Longest(requests.Where(request => !its.Contains(request.Organization)))} for the others; all are written to after {(loads[0].Now - cut).TotalSeconds:0.0} s");
    }

    private static string Longest(IEnumerable<ClusterLoad.Request> requests) => string.Create(CultureInfo.InvariantCulture, $"{requests.Select(request => request.Took.TotalSeconds).DefaultIfEmpty().Max():0.0} s");
}
