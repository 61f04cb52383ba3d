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
        _watch = new SiloDeathWatch(new SiloGrains(cluster.Client), _lost, Options.Create(new ClusteringOptions()), _time, NullLogger<SiloDeathWatch>.Instance);
        await _watch.StartAsync(TestContext.Current.CancellationToken);
        // What was dead before it looked for the first time has taken none of its calls.
        await LookAsync();
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
        await LookAsync();
        Assert.False(next.IsCancellationRequested);
    }

    /// <summary>Waits for looks enough that one was answered, however slow the machine is.</summary>
    private async Task LookAsync()
    {
        var asked = cluster.StandIns.Arrival(StandInActiveDatabasesGrain.Name);
        while (asked.CurrentCount > 0) await asked.WaitAsync(TestContext.Current.CancellationToken);
        await PassUntilAsync(() => asked.CurrentCount >= 4, "it has looked");
    }

    private Task PassUntilAsync(Func<bool> look, string what) => Eventually.IsAsync(
        () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(500));
            return look();
        },
        what);
}
