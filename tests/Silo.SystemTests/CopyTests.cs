using System.Globalization;

namespace Silo.SystemTests;

/// <summary>An operator makes a second organization of what the first one was; the first one does not notice.</summary>
public sealed class CopyTests
{
    [Fact]
    public async Task Copy_OfAMoment_IsAnOrganizationOfItsOwnAndTheFirstServesOn()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        foreach (var name in (string[])["Ada", "Grace"]) (await acme.AddContactAsync(name, "replicated")).Is(201);
        var good = Now();
        (await acme.AddContactAsync("after", "replicated")).Is(201);
        // At rest, nothing in the bucket changes by itself.
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("acme");
        var (objects, head) = (await ContentsAsync(silo, "litestream-replicas/acme/"), (await silo.Bucket.HeadAsync("acme"))!.Value.GetRawText());

        var look = await silo.CommandAsync(0, "restore", "--org", "acme", "--at", good, "--as", "acme-copy", "--dry-run");
        Assert.Contains("2 contacts", look, StringComparison.Ordinal);
        (await silo.Operator.GetAsync("/api/admin/organizations/acme-copy")).Refuses(404, "organization_not_found");
        (await silo.Member("acme-copy").GetAsync("/api/contacts")).Refuses(404, "organization_not_found");

        var done = await silo.CommandAsync(0, "restore", "--org", "acme", "--at", good, "--as", "acme-copy", "--name", "Copy of Acme");
        Assert.Contains("acme-copy is made of it", done, StringComparison.Ordinal);
        Assert.Null(await silo.Operator.DatabaseAsync("acme"));
        Assert.Equal(objects, await ContentsAsync(silo, "litestream-replicas/acme/"));
        Assert.Equal(head, (await silo.Bucket.HeadAsync("acme"))!.Value.GetRawText());

        var copy = silo.Member("acme-copy");
        Assert.Equal("Copy of Acme", (await silo.Operator.GetAsync("/api/admin/organizations/acme-copy")).Is(200).Json.GetProperty("name").GetString());
        Assert.Equal("active", await silo.Bucket.StateAsync("acme-copy"));
        Assert.Equal(["Grace", "Ada"], await copy.NamesAsync());
        (await copy.AddContactAsync("only here", "replicated")).Is(201);
        Assert.Equal(["after", "Grace", "Ada"], await acme.NamesAsync());
        (await acme.AddContactAsync("only there", "replicated")).Is(201);

        // In the same words it is what it is; in others it is refused.
        Assert.Contains("the same request has made it before", await silo.CommandAsync(0, "restore", "--org", "acme", "--at", good, "--as", "acme-copy"), StringComparison.Ordinal);
        Assert.Contains("(organization_exists)", await silo.CommandAsync(1, "restore", "--org", "acme", "--at", Now(), "--as", "acme-copy"), StringComparison.Ordinal);
        Assert.Contains("its oldest is of", await silo.CommandAsync(1, "restore", "--org", "acme", "--at", "2001-01-01T00:00:00Z", "--as", "other"), StringComparison.Ordinal);
        Assert.Equal(["only here", "Grace", "Ada"], await copy.NamesAsync());

        // It can be gone back in, exported, lost with its machine and copied again like any other.
        Assert.Equal(["only here", "Grace", "Ada"], await ExportAsync(machine, silo, "acme-copy"));
        await silo.KillAsync();
        silo = await machine.StartStandaloneAsync();
        Assert.Equal(["only here", "Grace", "Ada"], await silo.Member("acme-copy").NamesAsync());
        await silo.CommandAsync(0, "restore", "--org", "acme-copy", "--at", Now(), "--as", "third");
        Assert.Equal(["only here", "Grace", "Ada"], await silo.Member("third").NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
        silo = await machine.StartStandaloneAsync();
        Assert.Equal(["only there", "after", "Grace", "Ada"], await silo.Member("acme").NamesAsync());
        Assert.Equal(["only here", "Grace", "Ada"], await silo.Member("third").NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }

    /// <summary>Each step waits at the bucket when the silo is killed.</summary>
    [Theory]
    [InlineData("""[{"method":"GET","namePrefix":"litestream-replicas/acme/","action":"stall"}]""")]
    [InlineData("""[{"method":"POST","namePrefix":"litestream-replicas/_copies/","action":"stall"}]""")]
    [InlineData("""[{"method":"POST","namePrefix":"heads/acme-copy","action":"stall"}]""")]
    public async Task Silo_KilledWhileACopyIsMade_LeavesNoneOrAWholeOneAndTheSameRequestGoesOn(string wait)
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:AbandonedCopyRetention=00:00:01");
        await silo.Operator.CreateOrganizationAsync("acme");
        foreach (var name in (string[])["Ada", "Grace"]) (await silo.Member("acme").AddContactAsync(name, "replicated")).Is(201);
        var good = Now();
        await silo.Bucket.BreakAsync(wait);
        var making = silo.Operator.PostAsync("/api/admin/organizations/acme/restore", $$"""{"at":"{{good}}","as":"acme-copy"}""");
        await Eventually.GetAsync(async () => await silo.Bucket.FaultsAsync() > 0 ? "yes" : null, "the copy waits for the bucket");
        await silo.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => making);

        silo = await machine.StartStandaloneAsync();
        await silo.Bucket.RepairAsync();
        var found = await silo.Member("acme-copy").GetAsync("/api/contacts/count");
        if (found.Status != 404) Assert.Equal(2, found.Is(200).Json.GetProperty("count").GetInt32());
        Assert.Equal(["Grace", "Ada"], await silo.Member("acme").NamesAsync());
        await silo.CommandAsync(0, "restore", "--org", "acme", "--at", good, "--as", "acme-copy");
        Assert.Equal(["Grace", "Ada"], await silo.Member("acme-copy").NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Remains_OfACopyThatNobodyAskedForAgain_AreDeleted()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:AbandonedCopyRetention=00:00:01");
        var objects = new BucketObjects(new Uri(silo.Ready.BucketUrl!), "silo");
        await silo.Operator.CreateOrganizationAsync("acme");
        (await silo.Member("acme").AddContactAsync("Ada", "replicated")).Is(201);
        await silo.CommandAsync(0, "restore", "--org", "acme", "--at", Now(), "--as", "kept");
        const string Left = "litestream-replicas/_copies/never/0123456789abcdef0123456789abcdef/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4";
        await objects.WriteAsync(Left, [1]);
        await Eventually.GetAsync(async () => (await objects.NamesAsync("litestream-replicas/_copies/never/")).Count == 0 ? "gone" : null, "it is deleted");
        Assert.Equal(["Ada"], await silo.Member("kept").NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
        silo = await machine.StartStandaloneAsync();
        Assert.Equal(["Ada"], await silo.Member("kept").NamesAsync());
    }

    // The bucket is on this machine, so this is its clock too.
    private static string Now() => TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);

    private static async Task<List<(string Name, string Content)>> ContentsAsync(StandaloneHost silo, string prefix)
    {
        var objects = new BucketObjects(new Uri(silo.Ready.BucketUrl!), "silo");
        var found = new List<(string, string)>();
        foreach (var name in await objects.NamesAsync(prefix)) found.Add((name, Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(await objects.ReadAsync(name)))));
        return found;
    }

    private static async Task<IEnumerable<string>> ExportAsync(Machine machine, StandaloneHost silo, string organization)
    {
        await silo.CommandAsync(0, "export", organization, "--out", machine["export.db"]);
        return Bucket.Read(machine["export.db"]).Select(contact => contact.Name);
    }
}
