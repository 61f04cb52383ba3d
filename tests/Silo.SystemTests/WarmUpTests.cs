using Microsoft.Data.Sqlite;
using Silo.Storage.Usage;
using Silo.SystemTests.Faults;

namespace Silo.SystemTests;

/// <summary>What was used most is open after a restart before anybody asks, what comes at regular times shortly before, and each as long as it is worth it.</summary>
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
        foreach (var id in ids[1..]) await UntilOpenUnaskedAsync(second, id);
        await Eventually.IsAsync(() => second.Process.Output.Contains("2 of the most used organizations are open", StringComparison.Ordinal), "it says so");
        Assert.Null(await second.Operator.DatabaseAsync("seldom"));
        foreach (var id in ids[1..]) Assert.NotNull(await second.Operator.DatabaseAsync(id));
        Assert.Matches("""\nsilo_warmups_total\{[^}]*outcome="opened"[^}]*\} 2\b""", (await second.Service.With(null).GetAsync("/metrics")).Is(200).Text);
        Assert.Equal(["Ada"], await second.Member("often").NamesAsync());
        Assert.Equal(0, await second.TerminateAsync());
    }

    [Fact]
    public async Task Regular_OpensShortlyBeforeItsTimeUnaskedAndEachStaysAsLongAsItIsWaitedFor()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine, TimeSpan.Zero, "--WarmUp:Predict=true", "--Database:IdleTimeout=00:00:01");
        var now = TimeProvider.System.GetUtcNow();
        await RememberAsync(machine, silo, "later", Weekly(now.AddMinutes(33)));
        await RememberAsync(machine, silo, "patient", Irregular(now.AddDays(-8), now));
        await RememberAsync(machine, silo, "soon", Weekly(now.AddMinutes(2)));

        // One look at all of them opens the one that is due, and half an hour afterwards the other one.
        await UntilOpenUnaskedAsync(silo, "soon");
        Assert.Null(await silo.Operator.DatabaseAsync("later"));
        await SteppedClock.StepAsync(machine["clock"], TimeSpan.FromMinutes(31));
        await UntilOpenUnaskedAsync(silo, "later");

        // Of a stranger nothing is known: it goes after a second, and the one that was used before it does not.
        await silo.Operator.CreateOrganizationAsync("stranger");
        foreach (var id in (string[])["patient", "stranger"]) (await silo.Member(id).AddContactAsync("Ada")).Is(201);
        await silo.Operator.UntilInactiveAsync("stranger");
        foreach (var id in (string[])["patient", "later"])
            Assert.InRange((await silo.Operator.DatabaseAsync(id))!.Value.GetProperty("idleTimeoutSeconds").GetDouble(), 60, 3600);
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Idle_AtTheEndOfItsHours_IsPutAwayBeforeTheDefault()
    {
        await using var machine = new Machine();
        // Used each week within one hour, which is half over.
        var now = TimeProvider.System.GetUtcNow();
        var half = new DateTimeOffset(now.Year, now.Month, now.Day, now.Hour, 30, 0, TimeSpan.Zero).AddHours(1);
        var silo = await StartAsync(machine, half - now, "--WarmUp:MinIdle=00:00:01");
        await RememberAsync(machine, silo, "brief", Enumerable.Range(0, 12).SelectMany(i => Weekly(half.AddMinutes(2 * (i - 12)))).Order());
        (await silo.Member("brief").AddContactAsync("Ada")).Is(201);
        await silo.Operator.UntilDatabaseAsync("brief", database => database.GetProperty("idleTimeoutSeconds").GetDouble() is >= 60 and < 300, "it has a time-out of its own");

        // Nobody comes in the next hour.
        await SteppedClock.StepAsync(machine["clock"], half.AddMinutes(29.97) - TimeProvider.System.GetUtcNow());
        await silo.Operator.UntilInactiveAsync("brief");
        Assert.Equal(0, await silo.TerminateAsync());
    }

    private static async Task<StandaloneHost> StartAsync(Machine machine, TimeSpan step, params string[] settings)
    {
        await SteppedClock.StepAsync(machine["clock"], step);
        return await machine.StartStandaloneAsync(
            ["env", .. SteppedClock.Environment(machine["clock"]).Select(variable => $"{variable.Name}={variable.Value}")],
            ["--WarmUp:AdaptiveIdle=true", "--WarmUp:RecordInterval=00:00:01", "--WarmUp:StartDelay=00:00:00", "--WarmUp:LookInterval=00:00:01", .. settings]);
    }

    private static IEnumerable<DateTimeOffset> Weekly(DateTimeOffset next) => Enumerable.Range(1, 5).Reverse().Select(weeks => next.AddDays(-7 * weeks));

    /// <summary>Pauses of 2 to 22 minutes: some time in the next half hour it is used again.</summary>
    private static IEnumerable<DateTimeOffset> Irregular(DateTimeOffset from, DateTimeOffset until)
    {
        int[] pauses = [2, 14, 7, 18, 4, 22, 11];
        for (var (at, i) = (from, 0); at < until; at = at.AddMinutes(pauses[i++ % pauses.Length])) yield return at;
    }

    /// <summary>An organization is there, and the catalog knows of its uses.</summary>
    private static async Task RememberAsync(Machine machine, StandaloneHost silo, string id, IEnumerable<DateTimeOffset> uses)
    {
        await silo.Operator.CreateOrganizationAsync(id);
        var profile = new UsageProfile();
        foreach (var use in uses) profile.Use(use);
        await using var catalog = Catalog(machine);
        await using var command = catalog.CreateCommand();
        command.CommandText = "INSERT INTO organization_usage VALUES (@id, 0, @used, @changed, 1, @profile)";
        command.Parameters.AddWithValue("@id", id);
        command.Parameters.AddWithValue("@used", $"{profile.LastUse!.Value.UtcDateTime:O}");
        command.Parameters.AddWithValue("@changed", $"{TimeProvider.System.GetUtcNow().UtcDateTime:O}");
        command.Parameters.AddWithValue("@profile", profile.ToText());
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    private static async Task UntilOpenUnaskedAsync(StandaloneHost silo, string id)
    {
        var status = await silo.Operator.UntilDatabaseAsync(id, database => database.GetProperty("state").GetString() == "active", $"{id} is open");
        Assert.Equal(0, status.GetProperty("reads").GetInt64() + status.GetProperty("writes").GetInt64());
    }

    private static long Recorded(Machine machine)
    {
        using var catalog = Catalog(machine);
        using var command = catalog.CreateCommand();
        command.CommandText = "SELECT count(*) FROM organization_usage";
        return (long)command.ExecuteScalar()!;
    }

    private static SqliteConnection Catalog(Machine machine)
    {
        var catalog = new SqliteConnection($"Data Source={machine.Data}/catalog.db;Pooling=false");
        catalog.Open();
        return catalog;
    }
}
