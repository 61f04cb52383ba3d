namespace Silo.SystemTests;

/// <summary>Emulator, silo and gateway are programs of their own; each of them may be away for a while.</summary>
public sealed class SplitServiceTests
{
    [Fact]
    public async Task Gateway_BeforeItsSilo_SaysSoAndServesWhenItComes()
    {
        await using var machine = new Machine();
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        await service.StartGatewayAsync();

        (await service.Member("acme").GetAsync("/api/contacts")).Refuses(503, "cluster_unavailable");
        (await service.Member("acme").AddContactAsync("too early")).Refuses(503, "cluster_unavailable");
        (await service.Operator.GetAsync("/api/admin/databases")).Refuses(503, "cluster_unavailable");
        (await service.Nobody.GetAsync("/health/ready")).Is(503);
        (await service.Nobody.GetAsync("/health/live")).Is(200);

        await service.StartSiloAsync();
        await service.UntilReadyAsync();
        await service.Operator.CreateOrganizationAsync("acme");
        (await service.Member("acme").AddContactAsync("Ada")).Is(201);
        Assert.Equal("replicated", (await service.Member("acme").AddContactAsync("Grace", "replicated")).Is(201).Durability);
        var rows = (await service.Member("acme").GetAsync("/api/contacts")).Is(200).Text;

        (await service.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await service.Operator.UntilInactiveAsync("acme");
        Assert.False(Directory.Exists(Path.Combine(service.Databases, "acme")));
        Assert.Equal(["Grace", "Ada"], (await service.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name));
        Assert.Equal(rows, (await service.Member("acme").GetAsync("/api/contacts")).Is(200).Text);

        foreach (var program in (HostProcess[])[service.Gateway, service.Silo, service.Emulator])
        {
            Assert.False(program.WatchesFiles);
            Assert.Equal(0, await program.TerminateAsync());
        }
        await machine.OnlyRunsAsync();
    }

    [Fact]
    public async Task Silo_KilledAndStarted_IsFoundAgainByItsGateway()
    {
        await using var machine = new Machine();
        var service = await StartAllAsync(machine);
        var ledger = new Ledger("acme");
        for (var death = 0; death < 2; death++)
        {
            for (var i = 0; i < 10; i++) (await ledger.WriteAsync(service.Member("acme"))).Is(201);
            await service.Silo.KillAsync();
            (await service.Member("acme").GetAsync("/api/contacts")).Refuses(503, "cluster_unavailable");
            (await service.Nobody.GetAsync("/health/ready")).Is(503);

            await service.StartSiloAsync();
            await service.UntilReadyAsync();
            await Eventually.GetAsync(async () => (await service.Member("acme").GetAsync("/api/contacts")).Status == 200 ? "yes" : null, "acme is served again");
            await ledger.CheckAsync(service.Member("acme"));
        }

        // In order, too.
        Assert.Equal(0, await service.Silo.TerminateAsync());
        Assert.Contains("all 1 databases are in the bucket", service.Silo.Output, StringComparison.Ordinal);
        await service.StartSiloAsync();
        await service.UntilReadyAsync();
        await ledger.CheckAsync(service.Member("acme"));
    }

    [Fact]
    public async Task Emulator_AwayAndBack_HasEverythingAfterwards()
    {
        await using var machine = new Machine();
        var service = await StartAllAsync(machine, "--Litestream:ReplicatedWait=00:00:02", "--Database:RetryBackoff=00:00:00.200", "--Database:MaxRetryBackoff=00:00:01");
        await service.Operator.CreateOrganizationAsync("asleep");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(service.Member("acme"))).Is(201);
        await service.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("generation").GetString() is not null, "acme is published");

        Assert.Equal(0, await service.Emulator.TerminateAsync());
        (await ledger.WriteAsync(service.Member("acme"))).Is(201);
        (await ledger.WriteAsync(service.Member("acme"), "replicated")).Refuses(503, "durability_unavailable");
        Assert.Equal(3, await service.Member("acme").CountAsync());
        (await service.Member("asleep").GetAsync("/api/contacts")).Refuses(503, "database_unavailable");

        await service.StartEmulatorAsync();
        await Eventually.GetAsync(async () => (await ledger.WriteAsync(service.Member("acme"), "replicated")).Status == 201 ? "yes" : null, "writes are replicated again");
        await Eventually.GetAsync(async () => (await service.Member("asleep").GetAsync("/api/contacts")).Status == 200 ? "yes" : null, "the other is served");
        (await service.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await service.Operator.UntilInactiveAsync("acme");
        ledger.Check([.. (await service.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name)]);
        await ledger.CheckAsync(service.Member("acme"));
    }

    private static async Task<SplitService> StartAllAsync(Machine machine, params string[] settings)
    {
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        await service.StartSiloAsync(settings);
        await service.StartGatewayAsync();
        await service.UntilReadyAsync();
        await service.Operator.CreateOrganizationAsync("acme");
        return service;
    }
}
