namespace Silo.SystemTests;

/// <summary>An organization's database wakes, serves, sleeps, and comes back.</summary>
public sealed class WholeStoryTests
{
    [Fact]
    public async Task Database_FromFirstWriteThroughSleepToColdRead_KeepsItsRows()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:IdleTimeout=00:00:03");
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");

        // It serves.
        var ada = (await member.PostAsync("/api/contacts", """{"name":"Ada","email":"ada@example.org","notes":"first"}""")).Is(201);
        Assert.Equal("local", ada.Durability);
        Assert.Equal($"/api/contacts/{ada.Id}", ada.Location);
        var grace = (await member.PostAsync("/api/contacts", """{"name":"Grace","phone":"+1 555 0100"}""")).Is(201);
        var linus = (await member.PostAsync("/api/contacts", """{"name":"Linus"}""")).Is(201);
        Assert.Equal(ada.Text, (await member.GetAsync($"/api/contacts/{ada.Id}")).Is(200).Text);
        Assert.Equal(["Linus", "Grace", "Ada"], await member.NamesAsync());
        Assert.Equal("Grace", (await member.GetAsync("/api/contacts?search=0100")).Is(200).Json.GetProperty("items")[0].GetProperty("name").GetString());
        Assert.Equal("Ada L.", (await member.PutAsync($"/api/contacts/{ada.Id}", """{"name":"Ada L."}""")).Is(200).Json.GetProperty("name").GetString());
        (await member.DeleteAsync($"/api/contacts/{linus.Id}")).Is(204);
        Assert.Equal("replicated", (await member.PostAsync("/api/contacts", """{"name":"Barbara"}""", "replicated")).Is(201).Durability);
        var rows = (await member.GetAsync("/api/contacts")).Is(200).Text;

        // An operator sees how it is.
        var status = await silo.Operator.UntilDatabaseAsync("acme", database =>
            database.GetProperty("generation").GetString() is not null && database.GetProperty("replicationLagSeconds").GetDouble() == 0, "acme is published");
        Assert.Equal("active", status.GetProperty("state").GetString());
        Assert.Equal(1, status.GetProperty("epoch").GetInt64());
        Assert.Equal(16, status.GetProperty("generation").GetString()!.Length);
        Assert.Contains(machine.Replicating(), process => process.Pid == status.GetProperty("litestreamPid").GetInt32());
        Assert.Equal(2, machine.Replicating().Count);
        foreach (var phase in (string[])["catalog", "lease", "restore", "open"]) Assert.True(status.GetProperty("activationMs").GetProperty(phase).GetDouble() >= 0);
        var all = (await silo.Operator.GetAsync("/api/admin/databases")).Is(200).Json.GetProperty("items");
        Assert.Equal("acme", Assert.Single(all.EnumerateArray()).GetProperty("organization").GetString());

        // Nobody asks for it: it goes to sleep and leaves nothing on this machine.
        await silo.Operator.UntilInactiveAsync("acme");
        Assert.False(Directory.Exists(Path.Combine(machine.Databases, "acme")));
        await machine.OnlyRunsAsync(silo.Process);
        Assert.Equal("released", await silo.Bucket.StateAsync("acme"));

        // What is in the bucket is the truth, also for who has only the stock binary.
        var byHand = await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"]);
        Assert.Equal([("Barbara", 0), ("Grace", 1), ("Ada L.", 2)], byHand.Select((contact, place) => (contact.Name, place)));
        Assert.Equal((grace.Id, ada.Id), (byHand[1].Id, byHand[2].Id));

        // To look at it does not wake it; to read does.
        Assert.Null(await silo.Operator.DatabaseAsync("acme"));
        Assert.Equal(1, (await silo.Bucket.HeadAsync("acme"))!.Value.GetProperty("epoch").GetInt64());
        Assert.Equal(rows, (await member.GetAsync("/api/contacts")).Is(200).Text);
        Assert.Equal(2, (await silo.Bucket.HeadAsync("acme"))!.Value.GetProperty("epoch").GetInt64());

        Assert.Equal(0, await silo.TerminateAsync());
        await machine.OnlyRunsAsync();
    }

    [Fact]
    public async Task Operator_WarmsAndDeactivates_WhenAsked()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Refuses(404, "database_not_active");
        (await silo.Operator.PostAsync("/api/admin/databases/nobody/warm")).Refuses(404, "organization_not_found");

        (await silo.Operator.PostAsync("/api/admin/databases/acme/warm")).Is(202);
        await silo.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("state").GetString() == "active", "acme is warm");
        (await silo.Member("acme").AddContactAsync("Ada")).Is(201);

        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("acme");
        Assert.False(Directory.Exists(Path.Combine(machine.Databases, "acme")));
        await machine.OnlyRunsAsync(silo.Process);
        Assert.Equal("released", await silo.Bucket.StateAsync("acme"));
        Assert.Equal(["Ada"], await silo.Member("acme").NamesAsync());
    }
}
