namespace Silo.SystemTests;

/// <summary>More organizations than a silo may hold at once.</summary>
public sealed class RoomTests
{
    [Fact]
    public async Task Organizations_MoreThanFit_TakeTurns()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:MaxActive=2", "--Database:MinIdleToShed=00:00:00");
        string[] ids = ["a", "b", "c", "d"];
        foreach (var id in ids) await silo.Operator.CreateOrganizationAsync(id);
        for (var round = 1; round <= 2; round++)
        {
            foreach (var id in ids)
            {
                (await silo.Member(id).AddContactAsync($"{id} {round}")).Is(201);
                Assert.Equal(round, await silo.Member(id).CountAsync());
                Assert.InRange((await silo.Operator.GetAsync("/api/admin/databases")).Is(200).Json.GetProperty("items").GetArrayLength(), 1, 2);
            }
        }
        Assert.Contains("because another one needs its place", silo.Process.Output, StringComparison.Ordinal);
        Assert.Matches(@"\nsilo_database_shed_total\{[^}]*\} 6\b", (await silo.Service.With(null).GetAsync("/metrics")).Is(200).Text);
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Organization_WhileAllOthersAreBusy_IsToldToComeBack()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:MaxActive=2", "--Database:MinIdleToShed=01:00:00");
        foreach (var id in (string[])["a", "b", "c"]) await silo.Operator.CreateOrganizationAsync(id);
        foreach (var id in (string[])["a", "b"]) (await silo.Member(id).AddContactAsync("Ada")).Is(201);
        Assert.Equal(TimeSpan.FromSeconds(5), (await silo.Member("c").AddContactAsync("Ada")).Refuses(503, "database_unavailable").RetryAfter);
        Assert.Equal(["Ada"], await silo.Member("a").NamesAsync());
        (await silo.Operator.PostAsync("/api/admin/databases/a/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("a");
        await Eventually.GetAsync(async () => (await silo.Member("c").AddContactAsync("Ada")).Status == 201 ? "yes" : null, "there is room");
        Assert.Equal(0, await silo.TerminateAsync());
    }
}
