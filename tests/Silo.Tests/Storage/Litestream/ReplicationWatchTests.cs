using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Litestream;

namespace Silo.Tests.Storage.Litestream;

public sealed class ReplicationWatchTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly LitestreamOptions _options = new() { MaxLag = TimeSpan.FromSeconds(30) };
    private readonly ReplicationWatch _watch;
    private TimeSpan _waitedForCpu;

    public ReplicationWatchTests() => _watch = new ReplicationWatch(_options, _time);

    /// <summary>The seconds at which it wanted to poke and at which it wanted to restart, doing both as told.</summary>
    private (double[] Pokes, double[] Restarts) Watch(double seconds, bool failing = false, Action? each = null)
    {
        var (pokes, restarts) = (new List<double>(), new List<double>());
        var since = _time.GetTimestamp();
        while (_time.GetElapsedTime(since).TotalSeconds < seconds)
        {
            _time.Advance(ReplicationWatch.Interval);
            each?.Invoke();
            var at = _time.GetElapsedTime(since).TotalSeconds;
            switch (_watch.Judge(isBehind: true, TimeSpan.Zero, () => _waitedForCpu))
            {
                case ReplicationRemedy.Poke:
                    pokes.Add(at);
                    _watch.Poked();
                    if (failing) _watch.Failed();
                    break;
                case ReplicationRemedy.Restart:
                    restarts.Add(at);
                    _watch.Restarted();
                    break;
            }
        }
        return ([.. pokes], [.. restarts]);
    }

    [Fact]
    public void Judge_Silent_PokesAtAThirdAndRestartsAtTheEnd()
    {
        var (pokes, restarts) = Watch(31);
        Assert.Equal([10, 30], pokes);
        Assert.Equal([30.5], restarts);
    }

    [Fact]
    public void Judge_AfterAFailure_PokesSoon_AndLaterEachTime()
    {
        _watch.Failed();
        Assert.Equal([1, 3, 7, 15], Watch(20, failing: true).Pokes);
    }

    [Fact]
    public void Judge_BucketGoneForAnHour_DoesLessAndLess()
    {
        _watch.Failed();
        var (pokes, restarts) = Watch(3600, failing: true);
        Assert.InRange(restarts.Length, 5, 12); // 30 s, 1, 2, 4 minutes, then every 8
        Assert.InRange(pokes.Length, 20, 120); // at most some pages of WAL
        Assert.All(restarts.Zip(restarts.Skip(1)), pair => Assert.True(pair.Second - pair.First >= 60));
    }

    [Fact]
    public void Judge_NotBehind_DoesNothing()
    {
        _watch.Failed();
        for (var i = 0; i < 1000; i++)
        {
            _time.Advance(ReplicationWatch.Interval);
            Assert.Equal(ReplicationRemedy.None, _watch.Judge(isBehind: false, TimeSpan.Zero, () => TimeSpan.Zero));
        }
        // The next commit is a try by itself; if it does not help, the failure is not forgotten.
        Assert.Single(Watch(2).Pokes);
    }

    [Fact]
    public void Judge_ProgressNowAndThen_NeverRestarts()
    {
        var seen = 0;
        Assert.Empty(Watch(600, each: () =>
        {
            if (++seen % 50 == 0) _watch.Progressed();
        }).Restarts);
    }

    [Fact]
    public void Judge_ProcessThatWaitsForTheCpu_IsGivenTime_ButNotForEver()
    {
        // Ready to run all the time, and never running.
        Assert.Equal([89], Watch(100, each: () => _waitedForCpu += ReplicationWatch.Interval).Restarts);
    }

    [Fact]
    public void Judge_WeWereHeldUpOurselves_DoesNotBlameTheProcess()
    {
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(ReplicationRemedy.None, _watch.Judge(isBehind: true, TimeSpan.Zero, () => TimeSpan.Zero));
    }

    [Fact]
    public void Judge_LargeUpload_HasItsTime()
    {
        var restarts = 0;
        for (var i = 0; i < 2 * 60; i++)
        {
            _time.Advance(ReplicationWatch.Interval);
            if (_watch.Judge(isBehind: true, TimeSpan.FromSeconds(60), () => TimeSpan.Zero) == ReplicationRemedy.Restart) restarts++;
        }
        Assert.Equal(0, restarts);
    }
}
