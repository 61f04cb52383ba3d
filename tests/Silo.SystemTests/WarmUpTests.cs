namespace Silo.SystemTests;

/// <summary>What was used most is open after a restart before anybody asks.</summary>
public sealed class WarmUpTests
{
    private static readonly string[] Settings = ["--WarmUp:RecordInterval=00:00:01", "--WarmUp:StartDelay=00:00:00", "--WarmUp:LookInterval=00:00:01", "--WarmUp:MostUsed=2"];

    [Fact]
    public async Task Restart_AfterUse_OpensTheMostUsedUnaskedAndKeepsThem()
    {
        await using var machine = new Machine();
        var first = await machine.StartStandaloneAsync(Settings);
        string[] ids = ["seldom", "often", "oftener"];
        // Of those that are used as often, whoever was used last comes first.
        foreach (var id in ids)
        {
            await first.Operator.CreateOrganizationAsync(id);
            (await first.Member(id).AddContactAsync("Ada")).Is(201);
        }
        await Eventually.IsAsync(() => Recorded(machine) == 3, "all are recorded");
        Assert.Equal(0, await first.TerminateAsync());

        var second = await machine.StartStandaloneAsync([.. Settings, "--Database:IdleTimeout=00:00:30"]);
        foreach (var id in ids[1..])
        {
            var status = await second.Operator.UntilDatabaseAsync(id, database => database.GetProperty("state").GetString() == "active", $"{id} is open");
            Assert.Equal(0, status.GetProperty("reads").GetInt64() + status.GetProperty("writes").GetInt64());
        }
        await Eventually.IsAsync(() => second.Process.Output.Contains("2 of the most used organizations are open", StringComparison.Ordinal), "it says so");
        Assert.Null(await second.Operator.DatabaseAsync("seldom"));
        foreach (var id in ids[1..]) Assert.NotNull(await second.Operator.DatabaseAsync(id));
        Assert.Matches("""\nsilo_warmups_total\{[^}]*outcome="opened"[^}]*\} 2\b""", (await second.Service.With(null).GetAsync("/metrics")).Is(200).Text);
        Assert.Equal(["Ada"], await second.Member("often").NamesAsync());
        Assert.Equal(0, await second.TerminateAsync());
    }

    private static long Recorded(Machine machine)
    {
        using var catalog = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path.Combine(machine.Data, "catalog.db")};Pooling=false");
        catalog.Open();
        using var command = catalog.CreateCommand();
        command.CommandText = "SELECT count(*) FROM organization_usage";
        return (long)command.ExecuteScalar()!;
    }
}
