using System.Collections.Concurrent;
using System.Diagnostics;

namespace Silo.SystemTests.Machines;

/// <summary>Members of several organizations who write and read all the time, through any gateway, and keep book of it.</summary>
internal sealed class ClusterLoad : IAsyncDisposable
{
    private readonly SiloCluster _cluster;
    private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly ConcurrentDictionary<string, List<Request>> _requests = new();
    private readonly List<Ledger> _ledgers;
    private readonly List<Task> _loops;
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private ClusterLoad(SiloCluster cluster, IReadOnlyList<string> organizations, string? durability, bool mayBeSetAside)
    {
        _cluster = cluster;
        _ledgers = [.. organizations.Select(organization => new Ledger(organization) { MayBeSetAside = mayBeSetAside })];
        _loops = [.. _ledgers.Select((ledger, i) => RunAsync(ledger, durability, i))];
    }

    /// <summary>A request that was answered, or not.</summary>
    public sealed record Request(string Organization, bool IsWrite, TimeSpan Begun, TimeSpan Took, int Status, string? Problem);

    public static ClusterLoad Start(SiloCluster cluster, IReadOnlyList<string> organizations, string? durability = null, bool mayBeSetAside = false) =>
        new(cluster, organizations, durability, mayBeSetAside);

    /// <summary>The moment, as the requests have it.</summary>
    public TimeSpan Now => _clock.Elapsed;

    public IReadOnlyList<Request> Of(string organization)
    {
        var requests = _requests[organization];
        lock (requests) return [.. requests];
    }

    public IEnumerable<Request> All => _ledgers.SelectMany(ledger => Of(ledger.Organization));

    public IEnumerable<Request> Failures => All.Where(request => request.Status is not (200 or 201));

    /// <summary>Waits until so many more writes of each organization were answered well.</summary>
    public async Task UntilWrittenAsync(IEnumerable<string> organizations, int writes)
    {
        var since = Now;
        foreach (var organization in organizations)
        {
            await Eventually.IsAsync(
                () => Of(organization).Count(request => request is { IsWrite: true, Status: 201 } && request.Begun >= since) >= writes, $"{organization} is written to");
        }
    }

    /// <summary>Ends it, and compares every organization with its book.</summary>
    public async Task CheckAsync()
    {
        await StopAsync();
        foreach (var ledger in _ledgers) await ledger.CheckAsync(_cluster.Member(ledger.Organization));
        var all = All.ToList();
        foreach (var slow in all.Where(request => request.Took > TimeSpan.FromSeconds(1)).OrderBy(request => request.Begun).Take(100))
            TestContext.Current.TestOutputHelper?.WriteLine($"slow: {slow.Organization} {(slow.IsWrite ? "write" : "read")} at {slow.Begun.TotalSeconds:0.0} s took {slow.Took.TotalSeconds:0.0} s: {slow.Status}");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{all.Count} requests, {all.Count(request => request.Status is not (200 or 201))} failed; took p50 {Percentile(all, 0.5):0} ms, p99 {Percentile(all, 0.99):0} ms, at most {Percentile(all, 1):0} ms");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _end.Dispose();
    }

    private static double Percentile(List<Request> requests, double share) =>
        requests.Select(request => request.Took.TotalMilliseconds).Order().ElementAtOrDefault((int)((requests.Count - 1) * share));

    private async Task StopAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_loops);
    }

    private async Task RunAsync(Ledger ledger, string? durability, int number)
    {
        var requests = _requests[ledger.Organization] = [];
        await Task.Yield();
        for (var i = number; !_end.IsCancellationRequested; i++)
        {
            var member = _cluster.Member(ledger.Organization, i % _cluster.Gateways.Count);
            var begun = _clock.Elapsed;
            var isWrite = i % 2 == 0;
            var answer = await (isWrite ? ledger.WriteAsync(member, durability) : member.GetAsync("/api/contacts?limit=10"));
            lock (requests) requests.Add(new Request(ledger.Organization, isWrite, begun, _clock.Elapsed - begun, answer.Status, answer.Code is null ? null : answer.Text));
            // Not as fast as it can: the machine has silos to start, and a refused member does not hammer.
            if (!_end.IsCancellationRequested) await Faults.Pause.ForAsync(TimeSpan.FromMilliseconds(answer.Status < 300 ? 20 : 50), TestContext.Current.CancellationToken);
        }
    }
}
