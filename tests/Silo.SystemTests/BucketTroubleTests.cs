using System.Diagnostics;

namespace Silo.SystemTests;

/// <summary>The bucket is out of reach, or refuses, or answers and nobody hears it.</summary>
public sealed class BucketTroubleTests
{
    private const string RefuseUploads = """[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""";

    [Theory]
    [InlineData("""[{"action":"drop"}]""")]
    [InlineData("""[{"action":"status","status":503}]""")]
    [InlineData("""[{"action":"stall"}]""")]
    public async Task Activation_BucketOutOfReach_IsRefusedWithoutAStorm(string faults)
    {
        const int Callers = 50;
        const int TriesOfOneAttempt = 8; // reading the head and listing the epochs, each repeated three times
        var backoff = TimeSpan.FromSeconds(3);
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:ActivationTimeout=00:00:05", "--Database:RetryBackoff=00:00:03", "--Database:MaxRetryBackoff=00:00:03");
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");
        (await member.AddContactAsync("Ada")).Is(201);
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("acme");

        await silo.Bucket.BreakAsync(faults);
        var before = await silo.Bucket.RequestsAsync();
        var since = Stopwatch.StartNew();
        for (var wave = 0; wave < 2; wave++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => member.GetAsync("/api/contacts")));
            Assert.All(answers, answer => Assert.InRange(answer.Refuses(503, "database_unavailable").RetryAfter!.Value, TimeSpan.FromSeconds(1), backoff));
        }
        // The first attempt, and one more for each backoff that has passed.
        var attempts = 1 + (int)(since.Elapsed / backoff);
        Assert.InRange(await silo.Bucket.RequestsAsync() - before, 1, attempts * TriesOfOneAttempt);

        await machine.OnlyRunsAsync(silo.Process);
        Assert.False(Directory.Exists(Path.Combine(machine.Databases, "acme")));
        Assert.Equal("unavailable", (await silo.Operator.DatabaseAsync("acme"))!.Value.GetProperty("state").GetString());

        await silo.Bucket.RepairAsync();
        await Eventually.GetAsync(async () => (await member.GetAsync("/api/contacts")).Status == 200 ? "yes" : null, "acme is served again");
        Assert.Equal(["Ada"], await member.NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Idle_WhileUploadsAreRefused_StaysActiveUntilTheyAreNot()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:IdleTimeout=00:00:02", "--Database:FlushTimeout=00:00:01", "--Litestream:MaxLag=00:00:05");
        await silo.Operator.CreateOrganizationAsync("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);

        await silo.Bucket.BreakAsync(RefuseUploads);
        (await ledger.WriteAsync(silo.Member("acme"))).Is(201);
        await Eventually.IsAsync(() => silo.Process.Output.Split("The database stays active and tries again").Length > 3, "it could not be put away, more than once");
        var status = (await silo.Operator.DatabaseAsync("acme"))!.Value;
        Assert.Equal("active", status.GetProperty("state").GetString());
        Assert.True(status.GetProperty("replicationLagSeconds").GetDouble() > 0);
        Assert.NotEmpty(status.GetProperty("problem").GetString()!);
        Assert.NotEmpty(Directory.EnumerateFiles(machine.Databases, "org-acme.db", SearchOption.AllDirectories));

        await silo.Bucket.RepairAsync();
        await silo.Operator.UntilInactiveAsync("acme");
        Assert.Empty(Directory.EnumerateFiles(machine.Databases, "org-acme.db", SearchOption.AllDirectories));
        await ledger.CheckAsync(silo.Member("acme"));
    }

    [Fact]
    public async Task ReplicatedWrite_WhileUploadsAreRefused_SaysThatItIsOnlyHere()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Litestream:ReplicatedWait=00:00:02", "--Litestream:MaxLag=00:00:05");
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(member, "replicated")).Is(201);

        await silo.Bucket.BreakAsync(RefuseUploads);
        (await ledger.WriteAsync(member, "replicated")).Refuses(503, "durability_unavailable");
        Assert.Equal(2, await member.CountAsync());
        // Nobody else has to wait: neither a local write nor a read, even if the bucket does not answer at all.
        await silo.Bucket.BreakAsync("""[{"action":"stall"}]""");
        Assert.Equal("local", (await ledger.WriteAsync(member)).Is(201).Durability);
        Assert.Equal(3, await member.CountAsync());

        await silo.Bucket.RepairAsync();
        await Eventually.GetAsync(async () => (await ledger.WriteAsync(member, "replicated")).Status == 201 ? "yes" : null, "writes are replicated again");
        var restored = await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"]);
        ledger.Check([.. restored.Select(contact => contact.Name)]);
    }

    [Fact]
    public async Task Head_AnswersToItsWritesLost_IsKnownAsOurOwn()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var member = silo.Member("acme");

        // Taken, published and given back: each is done, and each time the answer does not arrive.
        foreach (var (life, status) in ((int, string)[])[(1, ""), (2, ""","status":503"""), (3, ""","status":412""")])
        {
            await silo.Bucket.BreakAsync($$"""[{"method":"insertObject","namePrefix":"heads/","action":"loseAnswer","count":2{{status}}}]""");
            Assert.Equal("replicated", (await member.AddContactAsync($"life {life}", "replicated")).Is(201).Durability);
            await silo.Bucket.BreakAsync($$"""[{"method":"insertObject","namePrefix":"heads/","action":"loseAnswer","count":1{{status}}}]""");
            (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
            await silo.Operator.UntilInactiveAsync("acme");

            Assert.Equal("released", await silo.Bucket.StateAsync("acme"));
            Assert.Equal(life, (await silo.Bucket.HeadAsync("acme"))!.Value.GetProperty("epoch").GetInt64());
            Assert.False(Directory.Exists(Path.Combine(machine.Databases, "set-aside")));
        }
        await silo.Bucket.RepairAsync();
        Assert.Equal(["life 3", "life 2", "life 1"], await member.NamesAsync());
    }
}
