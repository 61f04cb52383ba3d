using System.Globalization;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;

namespace Silo.Benchmarks.Scenarios;

/// <summary>Members of many organizations, who ask a little now and then.</summary>
internal sealed class ActiveMembers(ServedProcess server, BenchmarkRun run)
{
    private const int Side = 4;

    private readonly ContactSamples _samples = new(99);
    private long _serial = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() << 16;

    /// <summary>Lists and gets in each organization of a range, which activates it, and waits until the bucket has its snapshot.</summary>
    public Task ReadAsync(int from, int to, CancellationToken cancellationToken) => EachAsync(from, to, async (calls, organization, token) =>
    {
        using var connection = new LoadConnection(server.Url);
        var requests = new ContactRequests(server.Url, run.Tokens.Member(organization));
        Exchange(connection, requests.List(50));
        Exchange(connection, requests.Get((await calls.ContactIdsAsync(organization, 1, token))[0]));
    }, cancellationToken);

    /// <summary>Adds a contact in each organization of a range, and waits until the bucket has it.</summary>
    public Task WriteAsync(int from, int to, CancellationToken cancellationToken) => EachAsync(from, to, (_, organization, _) =>
    {
        using var connection = new LoadConnection(server.Url);
        Exchange(connection, Insert(organization));
        return Task.CompletedTask;
    }, cancellationToken);

    /// <summary>Adds a contact a second in each of the first organizations, evenly over the second.</summary>
    public Task<Latencies> WriteEachSecondAsync(int count, TimeSpan duration, CancellationToken cancellationToken) => WriteInTurnAsync(count, count, duration, cancellationToken);

    /// <summary>Adds so many contacts a second, in each of the first organizations in turn.</summary>
    public async Task<Latencies> WriteInTurnAsync(int count, double perSecond, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var connection = new LoadConnection(server.Url);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / perSecond), TimeProvider.System);
        var milliseconds = new List<double>();
        var begun = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(begun) < duration)
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            // The timer skips what it is late for; the pace is kept by how many are due.
            var due = TimeProvider.System.GetElapsedTime(begun).TotalSeconds * perSecond;
            while (milliseconds.Count < due) milliseconds.Add(Exchange(connection, Insert(SeedPlan.Organization(milliseconds.Count % count))));
        }
        return new Latencies(milliseconds);
    }

    private static double Exchange(LoadConnection connection, byte[] request)
    {
        var time = connection.Exchange(request).TotalMilliseconds;
        return connection.Answer.IsSuccess ? time : throw new BenchmarkException($"A request was refused:\n{connection.Answer}");
    }

    private byte[] Insert(string organization)
    {
        lock (_samples)
        {
            var fields = _samples.Next((++_serial).ToString("x", CultureInfo.InvariantCulture));
            return new ContactRequests(server.Url, run.Tokens.Member(organization)).Insert(fields);
        }
    }

    private async Task EachAsync(int from, int to, Func<OperatorCalls, string, CancellationToken, Task> act, CancellationToken cancellationToken)
    {
        using var calls = new OperatorCalls(server, run.Tokens);
        await Parallel.ForAsync(from, to, new ParallelOptions { MaxDegreeOfParallelism = Side, CancellationToken = cancellationToken }, async (i, token) =>
        {
            var organization = SeedPlan.Organization(i);
            await act(calls, organization, token);
            await calls.WaitReplicatedAsync(organization, token);
        });
    }
}
