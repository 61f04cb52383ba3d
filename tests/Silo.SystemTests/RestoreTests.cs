using System.Globalization;

namespace Silo.SystemTests;

/// <summary>Somebody deletes what they should not have; an operator goes back, with the program that operators have.</summary>
public sealed class RestoreTests
{
    [Fact]
    public async Task Restore_AfterAMistake_BringsTheRowsBackAndTheMistakeStaysInTheBucket()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");
        var ids = new List<string>();
        foreach (var name in (string[])["Ada", "Grace", "Barbara"]) ids.Add((await member.AddContactAsync(name, "replicated")).Is(201).Id);
        // The bucket is on this machine, so this is its clock too.
        var good = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);
        foreach (var id in ids) (await member.DeleteAsync($"/api/contacts/{id}")).Is(204);
        (await member.AddContactAsync("after", "replicated")).Is(201);

        var look = await silo.CommandAsync(0, "restore", "--org", "acme", "--at", good, "--dry-run");
        Assert.Contains("3 contacts", look, StringComparison.Ordinal);
        Assert.Equal(["after"], await member.NamesAsync());

        var done = await silo.CommandAsync(0, "restore", "--org", "acme", "--at", good, "--yes");
        Assert.Contains("goes on from it in epoch 2", done, StringComparison.Ordinal);
        Assert.Equal(["Barbara", "Grace", "Ada"], await member.NamesAsync());
        Assert.Equal("completed", (await silo.Operator.GetAsync("/api/admin/organizations/acme/restore")).Is(200).Json.GetProperty("state").GetString());
        (await member.AddContactAsync("new")).Is(201);

        // The machine fails in the next moment: the choice is the truth all the same.
        await silo.KillAsync();
        silo = await machine.StartStandaloneAsync();
        member = silo.Member("acme");
        Assert.Equal(["new", "Barbara", "Grace", "Ada"], await member.NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Restore_WhileMembersWork_AnswersThemAllWithOneStateOrTheOther()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");
        (await member.AddContactAsync("one", "replicated")).Is(201);
        var good = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);
        (await member.AddContactAsync("two", "replicated")).Is(201);

        var restoring = silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}"}""");
        while (!restoring.IsCompleted)
        {
            var answer = await member.GetAsync("/api/contacts/count");
            if (answer.Status == 200) Assert.InRange(answer.Json.GetProperty("count").GetInt32(), 1, 2);
            else answer.Refuses(503, "database_unavailable");
        }
        Assert.Equal("completed", (await restoring).Is(200).Json.GetProperty("state").GetString());
        Assert.Equal(["one"], await member.NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Restore_ThatRuns_IsNotEndedByPuttingTheDatabaseAway()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");
        (await member.AddContactAsync("one", "replicated")).Is(201);
        var good = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);
        (await member.AddContactAsync("two", "replicated")).Is(201);

        await silo.Bucket.BreakAsync("""[{"method":"GET","namePrefix":"litestream-replicas/","action":"stall"}]""");
        var restoring = silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}"}""");
        await Eventually.GetAsync(async () => (await silo.Operator.GetAsync("/api/admin/organizations/acme/restore")) is { Status: 200 } told ? told : null, "it runs");
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await Eventually.IsAsync(() => silo.Process.Output.Contains("A restore of this organization runs, which must end first", StringComparison.Ordinal), "it says why the database stays");
        await silo.Bucket.RepairAsync();
        Assert.Equal("completed", (await restoring).Is(200).Json.GetProperty("state").GetString());
        Assert.Equal(["one"], await member.NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Restore_WhileAnImportRuns_IsRefused()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");
        (await member.AddContactAsync("one", "replicated")).Is(201);
        var good = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);

        await silo.Bucket.BreakAsync("""[{"method":"GET","namePrefix":"imports/acme/","action":"status","status":503}]""");
        var import = (await member.PostAsync("/api/contacts/bulk-import", """[{"name":"wrong"}]""")).Is(202).Json.GetProperty("id").GetString();
        (await silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}"}""")).Refuses(409, "import_in_progress");

        // One of which the next activation knows nothing yet counts as well, as long as the bucket does not tell that there is none.
        await silo.Bucket.BreakAsync($$"""[{"method":"GET","namePrefix":"imports/acme/{{import}}","action":"status","status":503}]""");
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await Eventually.IsAsync(() => silo.Process.Output.Contains("acme: put away", StringComparison.Ordinal), "it is put away");
        (await silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}"}""")).Refuses(503, "database_unavailable");
        (await silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}","dryRun":true}""")).Is(200);
        await silo.Bucket.RepairAsync();
        await Eventually.GetAsync(async () => (await member.GetAsync($"/api/imports/{import}")).Is(200).Json.GetProperty("state").GetString() == "completed" ? "yes" : null, "the import is done");
        (await silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}"}""")).Is(200);
        Assert.Equal(["one"], await member.NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }
}
