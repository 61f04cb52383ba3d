using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Gateway.Clustering;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class SiloDeathWatchTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private readonly LostCalls _lost = new();
    private readonly string _silo = $"S127.0.0.1:1:{Guid.NewGuid()}";
    private SiloDeathWatch _watch = null!;

    public async ValueTask InitializeAsync()
    {
        var asked = cluster.StandIns.Arrival(StandInActiveDatabasesGrain.Name);
        while (asked.CurrentCount > 0) await asked.WaitAsync(TestContext.Current.CancellationToken);
        _watch = new SiloDeathWatch(new SiloGrains(cluster.Client), _lost, Options.Create(new ClusteringOptions()), _time, NullLogger<SiloDeathWatch>.Instance);
        await _watch.StartAsync(TestContext.Current.CancellationToken);
        // What was dead before it looked for the first time has taken none of its calls.
        await asked.WaitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        cluster.StandIns.DeadSilos.TryRemove(_silo, out _);
        await _watch.StopAsync(TestContext.Current.CancellationToken);
        _watch.Dispose();
    }

    [Fact]
    public async Task Calls_OfASiloThatIsDeclaredDead_AreGivenUpAlsoThoseThatItGotUntilItEnded()
    {
        var before = _lost.Token;
        cluster.StandIns.DeadSilos[_silo] = true;
        await PassUntilAsync(() => _lost.Token != before, "it is heard");
        var late = _lost.Token;
        await PassUntilAsync(() => before.IsCancellationRequested, "what it had before is given up");
        Assert.False(late.IsCancellationRequested);
        await PassUntilAsync(() => late.IsCancellationRequested, "what it got afterwards is given up");
        var next = _lost.Token;
        for (var passed = TimeSpan.Zero; passed < TimeSpan.FromMinutes(1); passed += TimeSpan.FromSeconds(1)) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(next.IsCancellationRequested);
    }

    private Task PassUntilAsync(Func<bool> look, string what) => Eventually.IsAsync(
        () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(500));
            return look();
        },
        what);
}
