namespace Silo.SystemTests;

/// <summary>A service is watched from outside.</summary>
public sealed class MonitoringTests
{
    [Fact]
    public async Task Silo_WithAnAddressOfItsOwn_TellsHowItIs()
    {
        await using var machine = new Machine();
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        await service.StartSiloAsync("--urls", "http://127.0.0.1:0");
        using var silo = new Service((await service.Silo.ReadyAsync()).Url!);
        var nobody = silo.With(null);

        Assert.Equal("""{"status":"live"}""", (await nobody.GetAsync("/health/live")).Is(200).Text);
        Assert.Equal("""{"status":"ready"}""", (await nobody.GetAsync("/health/ready")).Is(200).Text);
        (await nobody.GetAsync("/api/contacts")).Is(404);
        // Everything that counts is there before it has anything to count.
        var metrics = (await nobody.GetAsync("/metrics")).Is(200).Text;
        foreach (var count in (string[])["silo_lease_losses_total", "silo_litestream_restarts_total", "silo_flush_failures_total", "silo_activations_total", "silo_import_rows_total"])
            Assert.Contains($"\n{count}{{", metrics, StringComparison.Ordinal);

        await service.StartGatewayAsync();
        await service.UntilReadyAsync();
        await service.Operator.CreateOrganizationAsync("acme");
        (await service.Member("acme").AddContactAsync("Ada", "replicated")).Is(201);
        metrics = (await nobody.GetAsync("/metrics")).Is(200).Text;
        Assert.Matches("silo_activations_total\\{[^}]*outcome=\"new\"[^}]*\\} 1", metrics);
        Assert.DoesNotContain("acme", metrics, StringComparison.Ordinal);
        Assert.Equal(0, await service.Silo.TerminateAsync());
    }

    [Fact]
    public async Task Silo_WhosePortIsTaken_SaysSoBeforeItTakesAnything()
    {
        await using var machine = new Machine();
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        var taken = (await service.Emulator.ReadyAsync()).BucketUrl!;
        var silo = machine.Start(
            [HostProcess.Program("Silo.Cluster"), "--silo-port", "0", "--gateway-port", "0", "--urls", taken, $"--Database:DataDirectory={machine["d"]}", $"--ConnectionStrings:Catalog={machine["c.db"]}"],
            ("GCS_BUCKET_NAME", "silo"), ("STORAGE_EMULATOR_HOST", new Uri(taken).Authority));
        Assert.Equal(1, await silo.ExitAsync());
        Assert.Contains(new Uri(taken).Authority, silo.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(machine["c.db"]));
    }
}
