namespace Silo.SystemTests;

/// <summary>The service is asked to end while it is written to.</summary>
public sealed class TerminationTests
{
    [Fact]
    public async Task Service_TerminatedDuringWrites_HasEveryPromisedWriteInTheBucket()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        var ledgers = Enumerable.Range(1, 4).Select(number => new Ledger($"org-{number}")).ToList();
        foreach (var ledger in ledgers) await silo.Operator.CreateOrganizationAsync(ledger.Organization);

        var writers = (from ledger in ledgers from _ in Enumerable.Range(0, 3) select ledger.WriteUntilGoneAsync(silo.Member(ledger.Organization))).ToList();
        await Eventually.IsAsync(() => ledgers.All(ledger => ledger.Promised > 50), "all are written to");
        Assert.Equal(0, await silo.TerminateAsync());
        await Task.WhenAll(writers);

        Assert.Contains("4 databases are being flushed to the bucket", silo.Process.Output, StringComparison.Ordinal);
        Assert.Contains("all 4 databases are in the bucket", silo.Process.Output, StringComparison.Ordinal);
        await machine.OnlyRunsAsync();
        Assert.Empty(Directory.EnumerateFiles(machine.Databases, "org-*", SearchOption.AllDirectories));

        // The bucket alone is enough.
        Directory.Delete(machine.Databases, recursive: true);
        silo = await machine.StartStandaloneAsync();
        foreach (var ledger in ledgers) await ledger.CheckAsync(silo.Member(ledger.Organization));
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Service_TerminatedWhileTheBucketRefuses_KeepsTheFileAndSaysSo()
    {
        await using var machine = new Machine();
        string[] hasty = ["--Database:FlushTimeout=00:00:02", "--Litestream:StopTimeout=00:00:02"];
        var silo = await machine.StartStandaloneAsync(hasty);
        await silo.Operator.CreateOrganizationAsync("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);

        await silo.Bucket.BreakAsync("""[{"method":"POST","action":"status","status":503}]""");
        for (var i = 0; i < 20; i++) (await ledger.WriteAsync(silo.Member("acme"))).Is(201);
        Assert.Equal(0, await silo.TerminateAsync());

        Assert.Contains("1 databases are not proven to be in the bucket", silo.Process.Output, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(machine.Databases, "acme")));
        await machine.OnlyRunsAsync();

        // The next start picks it up without being asked for it, and puts it into the bucket.
        silo = await machine.StartStandaloneAsync("--Database:IdleTimeout=00:00:02");
        await Eventually.GetAsync(async () => await silo.Bucket.StateAsync("acme") == "released" ? "yes" : null, "the file that was left is put away");
        await silo.Operator.UntilInactiveAsync("acme");
        Assert.False(Directory.Exists(Path.Combine(machine.Databases, "acme")));
        await ledger.CheckAsync(silo.Member("acme"));
    }
}
