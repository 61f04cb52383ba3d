namespace Silo.SystemTests;

/// <summary>Sixty organizations are asked for at the same moment, and put away at the same moment.</summary>
public sealed class ManyOrganizationsTests
{
    private const int Organizations = 60;
    private const int CallersOfEach = 3;

    // Sixty Litestreams that look ten times a second, as in the other stories, would take most of a core; and whoever waits for
    // a turn on a busy machine has time.
    private static readonly string[] Settings =
        ["--Litestream:MonitorInterval=00:00:01", "--Litestream:SyncInterval=00:00:01", "--Database:MaxConcurrentActivations=4", "--Database:ActivationTimeout=00:02:00"];

    [Fact]
    public async Task Organizations_AllAtOnce_AreServedTheirOwnRowsAndPutAwayTogether()
    {
        await using var machine = new Machine();
        string[] ids = [.. Enumerable.Range(1, Organizations).Select(number => $"org-{number:D2}")];
        var silo = await machine.StartStandaloneAsync(Settings);
        await Parallel.ForEachAsync(ids, TestContext.Current.CancellationToken, async (id, _) => await silo.Operator.CreateOrganizationAsync(id));
        await AllAsync(silo, async (member, id, caller) => (await member.AddContactAsync($"{id} {caller}")).Is(201));
        await TerminateAsync(machine, silo);

        // Cold, by several callers each: one activation, and the rows of nobody else.
        silo = await machine.StartStandaloneAsync(Settings);
        await AllAsync(silo, async (member, id, _) => Assert.Equal(Names(id), (await member.NamesAsync()).Order()));
        var active = (await silo.Operator.GetAsync("/api/admin/databases")).Is(200).Json.GetProperty("items");
        Assert.Equal(ids, active.EnumerateArray().Select(database => database.GetProperty("organization").GetString()));
        Assert.All(active.EnumerateArray(), database => Assert.Equal(("active", 2), (database.GetProperty("state").GetString(), database.GetProperty("epoch").GetInt64())));
        await AllAsync(silo, async (member, id, caller) =>
        {
            if (caller == 1) (await member.AddContactAsync($"{id} {CallersOfEach + 1}")).Is(201);
        });
        foreach (var id in ids) Assert.Equal(2, (await silo.Bucket.HeadAsync(id))!.Value.GetProperty("epoch").GetInt64());
        await TerminateAsync(machine, silo);

        silo = await machine.StartStandaloneAsync(Settings);
        foreach (var id in (string[])[ids[0], ids[^1]])
            Assert.Equal(Names(id).Append($"{id} {CallersOfEach + 1}"), (await silo.Bucket.RestoreByHandAsync(id, machine[$"{id}.db"])).Select(contact => contact.Name).Order());
        await AllAsync(silo, async (member, id, _) => Assert.Equal(Names(id).Append($"{id} {CallersOfEach + 1}"), (await member.NamesAsync()).Order()));
        Assert.Equal(0, await silo.TerminateAsync());
    }

    private static IEnumerable<string> Names(string id) => Enumerable.Range(1, CallersOfEach).Select(caller => $"{id} {caller}");

    /// <summary>Every caller of every organization, at once.</summary>
    private static Task AllAsync(StandaloneHost silo, Func<Client, string, int, Task> call) => Task.WhenAll(
        from number in Enumerable.Range(1, Organizations)
        from caller in Enumerable.Range(1, CallersOfEach)
        let id = $"org-{number:D2}"
        select call(silo.Member(id), id, caller));

    private static async Task TerminateAsync(Machine machine, StandaloneHost silo)
    {
        // Long enough that there is something to tell.
        await silo.Bucket.BreakAsync("""[{"method":"insertObject","namePrefix":"heads/","action":"delay","delayMs":1500}]""");
        Assert.Equal(0, await silo.TerminateAsync());
        Assert.Contains($"Stopping: {Organizations} databases are being flushed to the bucket", silo.Process.Output, StringComparison.Ordinal);
        Assert.Matches($@"Stopping: \d+ of {Organizations} databases are not put away yet", silo.Process.Output);
        Assert.Contains($"Stopped: all {Organizations} databases are in the bucket", silo.Process.Output, StringComparison.Ordinal);
        await machine.OnlyRunsAsync();
        Assert.Empty(Directory.EnumerateFiles(machine.Databases, "org-*", SearchOption.AllDirectories));
    }
}
