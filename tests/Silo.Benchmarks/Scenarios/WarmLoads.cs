using System.Text;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;

namespace Silo.Benchmarks.Scenarios;

/// <summary>The loads of one server, whose organizations are all active. Each takes a seed and begins anew.</summary>
/// <param name="Lists">Lists of 50.</param>
/// <param name="Gets">Gets by id.</param>
/// <param name="Inserts">Inserts.</param>
internal sealed record WarmLoads(Func<uint, IRequestSource> Lists, Func<uint, IRequestSource> Gets, Func<uint, IRequestSource> Inserts)
{
    public static async Task<WarmLoads> PrepareAsync(ServedProcess server, BenchmarkRun run, int count, CancellationToken cancellationToken)
    {
        using var calls = new OperatorCalls(server, run.Tokens);
        var organizations = Enumerable.Range(0, count).Select(SeedPlan.Organization).ToArray();
        var ids = new byte[count][][];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancellationToken }, async (i, token) =>
        {
            ids[i] = [.. (await calls.ContactIdsAsync(organizations[i], run.Settings.Contacts, token)).Select(Encoding.ASCII.GetBytes)];
            await calls.WaitReplicatedAsync(organizations[i], token);
        });
        var requests = organizations.Select(id => new ContactRequests(server.Url, run.Tokens.Member(id))).ToArray();
        var lists = requests.Select(request => request.List(50)).ToArray();
        var gets = requests.Select((request, i) => (request.Get(Encoding.ASCII.GetString(ids[i][0])), ids[i])).ToArray();
        var heads = requests.Select(request => request.InsertHead()).ToArray();
        return new WarmLoads(seed => new ListRequests(lists, seed), seed => new GetRequests(gets, seed), seed => new InsertRequests(heads, seed));
    }
}
