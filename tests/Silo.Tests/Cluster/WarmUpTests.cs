using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.Cluster.Warming;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Usage;
using Silo.Tests.Gateway;
using Silo.Tests.Storage.Catalog;

namespace Silo.Tests.Cluster;

[Collection(GatewayCollection.Name)]
public sealed class WarmUpTests(StandInCluster cluster) : IDisposable
{
    private readonly CatalogFixture _fixture = new();
    private readonly OrganizationId[] _ids = [.. Enumerable.Range(0, 3).Select(i => OrganizationId.Parse($"warm-{Guid.NewGuid():n}{i}"))];
    private IReadOnlyCollection<string> _silos = ["a"];
    private int _room = int.MaxValue;
    private int _asked;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Start_MoreUsedThanFit_OpensTheMostUsedWhileThereIsRoom()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await UseAsync(catalog);
        _room = 2;
        using var warmUp = Make(catalog, new WarmUpOptions());
        await warmUp.StartAsync(Token);
        await AdvanceUntilAsync(() => _asked >= 3, "there is no room");
        Assert.Equal((1, 1, 0), (Arrived(2), Arrived(1), Arrived(0)));
        await AdvanceAsync(10);
        Assert.Equal((1, 1, 0), (Arrived(2), Arrived(1), Arrived(0))); // and not again while no silo comes or goes
        await warmUp.StopAsync(Token);
    }

    [Fact]
    public async Task Start_Budget_IsKept()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await UseAsync(catalog);
        using var warmUp = Make(catalog, new WarmUpOptions { MostUsed = 1 });
        await warmUp.StartAsync(Token);
        await AdvanceUntilAsync(() => Arrived(2) == 1, "the most used is opened");
        await AdvanceAsync(10);
        Assert.Equal((1, 0, 0), (Arrived(2), Arrived(1), Arrived(0)));
        await warmUp.StopAsync(Token);
    }

    [Fact]
    public async Task Start_OneCannotBeOpened_OpensTheOthers()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await UseAsync(catalog);
        cluster.StandIns.Failures[_ids[2].Value] = new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "Not now.");
        using var warmUp = Make(catalog, new WarmUpOptions());
        await warmUp.StartAsync(Token);
        await AdvanceUntilAsync(() => Arrived(0) == 1 && Arrived(1) == 1, "the others are opened");
        await warmUp.StopAsync(Token);
    }

    [Fact]
    public async Task Start_CatalogAway_WarmsUpWhenItIsBack()
    {
        var catalog = _fixture.Open(); // without a table to read
        using var warmUp = Make(catalog, new WarmUpOptions { Predict = true });
        await warmUp.StartAsync(Token);
        await AdvanceAsync(3);
        Assert.False(warmUp.ExecuteTask!.IsCompleted);
        await catalog.MigrateAsync(Token);
        await UseAsync(catalog);
        await AdvanceUntilAsync(() => Arrived(2) == 1, "it goes on");
        await warmUp.StopAsync(Token);
    }

    [Fact]
    public async Task Silo_Joins_WarmsUpAgainEachItsShare()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await UseAsync(catalog);
        using var warmUp = Make(catalog, new WarmUpOptions());
        await warmUp.StartAsync(Token);
        await AdvanceUntilAsync(() => Arrived(0) == 1, "all are opened");
        string[] two = ["a", "b"];
        _silos = two;
        var mine = _ids.Count(id => Surroundings("a").IsMine(id, two));
        Assert.Equal(3, mine + _ids.Count(id => Surroundings("b").IsMine(id, two)));
        await AdvanceUntilAsync(() => Arrived(0) + Arrived(1) + Arrived(2) == 3 + mine, "its share is opened again");
        await warmUp.StopAsync(Token);
    }

    [Fact]
    public async Task Predict_OrganizationThatIsDue_IsOpenedShortlyBefore()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var now = _fixture.Time.GetUtcNow();
        await catalog.AddAsync(new NewOrganization(_ids[0], "x", OrganizationDbType.Sqlite, null, null), Token);
        // In half an hour, as in each of the last weeks.
        await UsageStory.AddUsesAsync(catalog, _ids[0], [.. Enumerable.Range(1, 5).Reverse().Select(weeks => now.AddDays(-7 * weeks).AddMinutes(30))]);
        using var warmUp = Make(catalog, new WarmUpOptions { MostUsed = 0, Predict = true });
        await warmUp.StartAsync(Token);
        await AdvanceUntilAsync(() => Arrived(0) > 0, "it is opened");
        Assert.InRange(_fixture.Time.GetUtcNow(), now.AddMinutes(15), now.AddMinutes(31));
        await warmUp.StopAsync(Token);
    }

    [Fact]
    public async Task Recording_WritesUsesAndKeepsThemWhileTheCatalogIsAway()
    {
        var catalog = _fixture.Open();
        var options = Options.Create(new WarmUpOptions());
        var usage = new UsageJournal(catalog, options, _fixture.Time);
        using var recording = new UsageRecording(usage, catalog, options, _fixture.Time, NullLogger<UsageRecording>.Instance);
        await recording.StartAsync(Token);
        usage.Used(_ids[0]);
        await AdvanceAsync(3);
        Assert.Equal(1, usage.Waiting);
        await catalog.MigrateAsync(Token);
        await catalog.AddAsync(new NewOrganization(_ids[0], "x", OrganizationDbType.Sqlite, null, null), Token);
        await AdvanceUntilAsync(() => usage.Waiting == 0, "it is written");
        Assert.NotNull(usage.Find(_ids[0])!.LastUse);
        Assert.Single(await catalog.ListMostUsedAsync(10, Token));
        await recording.StopAsync(Token);
    }

    /// <summary>The last one most.</summary>
    private async Task UseAsync(OrganizationCatalog catalog)
    {
        for (var i = 0; i < _ids.Length; i++)
        {
            await catalog.AddAsync(new NewOrganization(_ids[i], "x", OrganizationDbType.Sqlite, null, null), Token);
            var from = _fixture.Time.GetUtcNow().AddHours(-3);
            await UsageStory.AddUsesAsync(catalog, _ids[i], [.. Enumerable.Range(0, 1 + (10 * i)).Select(use => from.AddMinutes(2 * use))]);
        }
    }

    private WarmUpCluster Surroundings(string self) => new(self, () => _silos, () => Interlocked.Increment(ref _asked) <= _room);

    private WarmUp Make(OrganizationCatalog catalog, WarmUpOptions options) => new(
        cluster.Client, catalog, new UsageJournal(catalog, Options.Create(options), _fixture.Time), Surroundings("a"),
        new WarmUpMetrics(cluster.Client.ServiceProvider.GetRequiredService<IMeterFactory>()), Options.Create(options), Options.Create(new DatabaseOptions()), _fixture.Time, NullLogger<WarmUp>.Instance);

    private int Arrived(int organization) => cluster.StandIns.Arrival(_ids[organization].Value).CurrentCount;

    // A step before somebody waits for the clock would be lost, so they go on until it has come.
    private Task AdvanceUntilAsync(Func<bool> hasCome, string what) => Eventually.IsAsync(
        () =>
        {
            if (hasCome()) return true;
            _fixture.Time.Advance(TimeSpan.FromSeconds(20));
            return false;
        },
        what);

    private Task AdvanceAsync(int minutes)
    {
        var until = _fixture.Time.GetUtcNow().AddMinutes(minutes);
        return AdvanceUntilAsync(() => _fixture.Time.GetUtcNow() >= until, "time passes");
    }
}
