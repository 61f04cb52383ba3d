using System.Text.Json;
using Silo.Benchmarks.Floor;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Contracts;
using Spectre.Console;

namespace Silo.Benchmarks.Data;

/// <summary>Fills both servers with the same contacts, once per folder; Silo through its HTTP API.</summary>
internal sealed class Seeding(BenchmarkRun run)
{
    private const int Connections = 8;

    /// <summary>Makes sure that so many organizations are there.</summary>
    public async Task EnsureAsync(int organizations, CancellationToken cancellationToken)
    {
        var plan = new SeedPlan(organizations, run.Settings.Contacts);
        var done = File.Exists(run.SeededFile) ? JsonSerializer.Deserialize<SeedPlan>(await File.ReadAllTextAsync(run.SeededFile, cancellationToken))! : new SeedPlan(0, plan.Contacts);
        if (done.Contacts != plan.Contacts) throw new BenchmarkException($"The folder was seeded with {done.Contacts} contacts each. Ask for as many, or for another folder.");
        if (done.Organizations >= organizations) return;

        await run.Log.Progress().StartAsync(async progress =>
        {
            var task = progress.AddTask($"seeding {organizations} organizations of {plan.Contacts} contacts", maxValue: 2.0 * (organizations - done.Organizations));
            for (var i = done.Organizations; i < organizations; i++, task.Increment(1))
                FloorDatabases.Seed(Directory.CreateDirectory(run.FloorFolder).FullName, OrganizationId.Parse(SeedPlan.Organization(i)), plan.ContactsOf(i));
            await SeedSiloAsync(plan, done.Organizations, () => task.Increment(1), cancellationToken);
        });
        await File.WriteAllTextAsync(run.SeededFile, JsonSerializer.Serialize(plan), cancellationToken);
    }

    private async Task SeedSiloAsync(SeedPlan plan, int from, Action begun, CancellationToken cancellationToken)
    {
        await using var silo = await run.StartSiloAsync(cancellationToken);
        using var calls = new OperatorCalls(silo, run.Tokens);
        var missing = Enumerable.Range(from, plan.Organizations - from);
        foreach (var i in missing) await calls.CreateOrganizationAsync(SeedPlan.Organization(i), cancellationToken);
        var requests = new SeedRequests(
            Connections,
            missing.Select(i =>
            {
                var prepared = new ContactRequests(silo.Url, run.Tokens.Member(SeedPlan.Organization(i)));
                return plan.ContactsOf(i).Select(prepared.Insert);
            }),
            begun);
        (await new ClosedLoop(silo.Url, Connections).RunAsync(requests, Timeout.InfiniteTimeSpan, cancellationToken)).Checked("seeding");
        foreach (var i in missing) await calls.WaitReplicatedAsync(SeedPlan.Organization(i), cancellationToken);
    }
}
