using System.Globalization;

namespace Silo.SystemTests;

/// <summary>Three silos behind two gateways: they come together, share the work, and one after the other may leave, die or freeze.</summary>
[Collection(OneCluster.Name)]
public sealed class ClusterTests
{
    private static readonly string[] Organizations = [.. Enumerable.Range(1, 12).Select(number => string.Create(CultureInfo.InvariantCulture, $"org-{number}"))];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Silos_StartedAtOnceOnAnEmptyDatabase_ShareTheOrganizations(bool onPostgres)
    {
        await using var cluster = await SiloCluster.StartAsync(onPostgres, silos: 3, gateways: 2);
        await cluster.CreateOrganizationsAsync(Organizations);
        foreach (var organization in Organizations)
        {
            (await cluster.Member(organization).AddContactAsync("Ada")).Is(201);
            Assert.Equal(["Ada"], await cluster.Member(organization, gateway: 1).NamesAsync());
        }
        var places = await cluster.PlacesAsync();
        Assert.Equal([0, 1, 2], places.Keys.Order());
        Assert.All(places.Values, organizations => Assert.InRange(organizations.Count, 2, 6));

        // A new one takes its share of what comes next, and nothing moves for it.
        await cluster.StartSiloAsync(3);
        string[] more = [.. Enumerable.Range(13, 6).Select(number => string.Create(CultureInfo.InvariantCulture, $"org-{number}"))];
        await cluster.CreateOrganizationsAsync(more);
        foreach (var organization in more) (await cluster.Member(organization, gateway: 1).AddContactAsync("Ada")).Is(201);
        var after = await cluster.PlacesAsync();
        Assert.True(after[3].Count >= 2, $"The new silo has {after[3].Count} of the 6 that came after it.");
        foreach (var (silo, organizations) in places) Assert.Empty(organizations.Except(after[silo]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Silos_RestartedOneAfterTheOther_AreMissedByNobody(bool onPostgres)
    {
        await using var cluster = await SiloCluster.StartAsync(onPostgres, silos: 3, gateways: 2);
        await cluster.CreateOrganizationsAsync(Organizations);
        await using var load = ClusterLoad.Start(cluster, Organizations);
        await load.UntilWrittenAsync(Organizations, 5);
        for (var silo = 0; silo < 3; silo++)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"silo {silo} is told to stop at {load.Now.TotalSeconds:0.0} s");
            Assert.Equal(0, await cluster.Silos[silo].TerminateAsync());
            TestContext.Current.TestOutputHelper?.WriteLine($"silo {silo} has ended at {load.Now.TotalSeconds:0.0} s");
            Assert.DoesNotContain("not proven", cluster.Silos[silo].Output, StringComparison.Ordinal);
            await cluster.StartSiloAsync(silo);
            TestContext.Current.TestOutputHelper?.WriteLine($"silo {silo} serves again at {load.Now.TotalSeconds:0.0} s");
            await load.UntilWrittenAsync(Organizations, 5);
        }
        await load.CheckAsync();
        Assert.Empty(load.Failures);
    }

    [Fact]
    public async Task Silo_Killed_ItsOrganizationsGoOnElsewhereAndTheOthersDoNotNotice()
    {
        await using var cluster = await SiloCluster.StartAsync(onPostgres: true, silos: 3, gateways: 2);
        await cluster.CreateOrganizationsAsync(Organizations);
        await using var load = ClusterLoad.Start(cluster, Organizations, durability: "replicated");
        await load.UntilWrittenAsync(Organizations, 3);
        var places = await cluster.PlacesAsync();
        var (dead, its) = places.First();
        await cluster.Silos[dead].KillAsync();
        var killed = load.Now;
        await load.UntilWrittenAsync(Organizations, 3);
        await load.CheckAsync();

        var back = its.Max(organization => load.Of(organization).First(request => request is { IsWrite: true, Status: 201 } && request.Begun + request.Took > killed).Took
            + load.Of(organization).First(request => request is { IsWrite: true, Status: 201 } && request.Begun + request.Took > killed).Begun - killed);
        TestContext.Current.TestOutputHelper?.WriteLine($"all {its.Count} of the dead silo are written to again after {back.TotalSeconds:0.0} s");
        Assert.DoesNotContain(load.Failures, request => !its.Contains(request.Organization));
    }

    [Fact]
    public async Task Silo_FrozenUntilItIsDeclaredDead_EndsWhenItWakesAndHasChangedNothing()
    {
        await using var cluster = await SiloCluster.StartAsync(onPostgres: false, silos: 3, gateways: 2);
        await cluster.CreateOrganizationsAsync(Organizations);
        await using var load = ClusterLoad.Start(cluster, Organizations, durability: "replicated");
        await load.UntilWrittenAsync(Organizations, 3);
        var (frozen, its) = (await cluster.PlacesAsync()).First();
        await new[] { cluster.Silos[frozen].Identity }.FreezeAsync();
        await load.UntilWrittenAsync(its, 3);
        new[] { cluster.Silos[frozen].Identity }.Thaw();
        Assert.NotEqual(0, await cluster.Silos[frozen].ExitAsync());
        await load.UntilWrittenAsync(Organizations, 3);
        await load.CheckAsync();
    }

    [Fact]
    public async Task Silo_CutOffFromTheBucket_LosesItsOrganizationsToThoseWhoReachIt()
    {
        string[] hasty = ["--Lease:TimeToLive=00:00:10", "--Lease:RenewInterval=00:00:02", "--Lease:SafetyMargin=00:00:02", "--Database:IdleTimeout=00:00:10", "--Gcs:RequestTimeout=00:00:02", "--Gcs:TotalTimeout=00:00:04",
            "--Database:CutOffPatience=00:00:05", "--Litestream:ReplicatedWait=00:00:02", "--Litestream:StopTimeout=00:00:02"];
        await using var cluster = await SiloCluster.StartAsync(onPostgres: false, silos: 2, gateways: 2, hasty);
        await cluster.CreateOrganizationsAsync(Organizations);
        await using var load = ClusterLoad.Start(cluster, Organizations, durability: "replicated", mayBeSetAside: true);
        await load.UntilWrittenAsync(Organizations, 3);
        var (cutOff, its) = (await cluster.PlacesAsync()).First();
        cluster.Links[cutOff].Reset();
        await load.UntilWrittenAsync(Organizations, 3);
        Assert.Empty((await cluster.PlacesAsync()).GetValueOrDefault(cutOff, []).Intersect(its));

        // What comes next is not sent there either; with the bucket in reach it takes its share again.
        await cluster.Operator.CreateOrganizationAsync("next");
        (await cluster.Member("next").AddContactAsync("Ada", "replicated")).Is(201);
        cluster.Links[cutOff].Heal();
        await Eventually.GetAsync(
            async () =>
            {
                var id = $"more-{Guid.NewGuid():n}";
                await cluster.Operator.CreateOrganizationAsync(id);
                (await cluster.Member(id).AddContactAsync("Ada")).Is(201);
                return (await cluster.PlacesAsync()).GetValueOrDefault(cutOff, []).Contains(id) ? "yes" : null;
            },
            "the silo is used again");
        await load.UntilWrittenAsync(Organizations, 3);
        await load.CheckAsync();
        // Two seconds for the bucket's word are little on a busy machine; nothing else may happen to the others.
        Assert.DoesNotContain(load.Failures, request => !its.Contains(request.Organization) && request.Problem?.Contains("durability_unavailable", StringComparison.Ordinal) != true);
    }

    [Fact]
    public async Task Bucket_AwayForAll_LeavesOpenDatabasesWhereTheyAreAndReadable()
    {
        string[] hasty = ["--Lease:TimeToLive=00:00:10", "--Lease:RenewInterval=00:00:02", "--Lease:SafetyMargin=00:00:02", "--Database:IdleTimeout=00:00:10", "--Gcs:RequestTimeout=00:00:02", "--Gcs:TotalTimeout=00:00:04"];
        // The other silo has nothing open, and asks the bucket for nothing by itself.
        await using var cluster = await SiloCluster.StartAsync(onPostgres: false, silos: 2, gateways: 1, hasty);
        await cluster.CreateOrganizationsAsync(["acme"]);
        Assert.Equal("replicated", (await cluster.Member("acme").AddContactAsync("Ada", "replicated")).Is(201).Durability);
        foreach (var link in cluster.Links) link.Reset();
        await Eventually.GetAsync(async () => (await cluster.Member("acme").AddContactAsync("Bo")).Code == "database_moved" ? "yes" : null, "the lease has run out");
        for (var i = 0; i < 30; i++)
        {
            (await cluster.Member("acme").GetAsync("/api/contacts")).Is(200);
            await Faults.Pause.ForAsync(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
        }
        foreach (var link in cluster.Links) link.Heal();
        await Eventually.GetAsync(async () => (await cluster.Member("acme").AddContactAsync("Cy", "replicated")).Status == 201 ? "yes" : null, "it is written to again");
    }

    [Fact]
    public async Task Postgres_Away_RunningDatabasesServeOnAndOthersComeWithIt()
    {
        await using var cluster = await SiloCluster.StartAsync(onPostgres: true, silos: 2, gateways: 1, "--urls", "http://127.0.0.1:0");
        using var silo = new Service((await cluster.Silos[0].ReadyAsync()).Url!);
        await cluster.CreateOrganizationsAsync([.. Organizations, "asleep"]);
        await using var load = ClusterLoad.Start(cluster, Organizations);
        await load.UntilWrittenAsync(Organizations, 3);

        await cluster.Postgres.StopAsync();
        (await cluster.Member("asleep").GetAsync("/api/contacts")).Refuses(503, "database_unavailable");
        // An orchestrator or a proxy leaves them all in place.
        foreach (var program in (Service[])[silo, cluster.Gateways[0]]) (await program.With(null).GetAsync("/health/ready")).Is(200);
        await load.UntilWrittenAsync(Organizations, 20);

        await cluster.Postgres.StartAsync();
        await Eventually.GetAsync(async () => (await cluster.Member("asleep").GetAsync("/api/contacts")).Status == 200 ? "yes" : null, "the other is served");
        await load.CheckAsync();
        Assert.Empty(load.Failures);
    }
}
