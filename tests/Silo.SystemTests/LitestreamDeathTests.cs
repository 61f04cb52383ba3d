using System.Runtime.InteropServices;
using Silo.Storage.Litestream;

namespace Silo.SystemTests;

/// <summary>Litestream dies, or hangs; the next write is in the bucket within seconds all the same.</summary>
public sealed partial class LitestreamDeathTests
{
    private const int SigStop = 19;

    [Fact]
    public async Task Litestream_Killed_NextWriteIsInTheBucket()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var ledger = new Ledger("acme");
        for (var death = 0; death < 3; death++)
        {
            (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);
            var (litestream, restarts) = await LitestreamAsync(silo);
            Assert.Equal(death, restarts);
            litestream.Kill();
            (await ledger.WriteAsync(silo.Member("acme"))).Is(201);
            Assert.Equal("replicated", (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201).Durability);
        }

        var status = await silo.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("problem").GetString() is null, "acme has no problem any more");
        Assert.Equal(3, status.GetProperty("litestreamRestarts").GetInt32());
        Assert.Equal(2, machine.Replicating().Count);
        ledger.Check([.. (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name)]);
    }

    [Fact]
    public async Task Litestream_Frozen_IsReplacedAfterTheLongestLag()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Litestream:MaxLag=00:00:05", "--Litestream:ReplicatedWait=00:00:45");
        await silo.Operator.CreateOrganizationAsync("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);

        var (frozen, _) = await LitestreamAsync(silo);
        Assert.Equal(0, Signal(frozen.Pid, SigStop));
        Assert.Equal("local", (await ledger.WriteAsync(silo.Member("acme"))).Is(201).Durability);
        Assert.Equal("replicated", (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201).Durability);

        Assert.False(frozen.IsAlive);
        Assert.Equal(1, (await LitestreamAsync(silo)).Restarts);
        Assert.Contains("Litestream is killed and started again", silo.Process.Output, StringComparison.Ordinal);
        await Eventually.IsAsync(() => machine.Replicating().Count == 2, "the tether of the frozen one is gone");
        ledger.Check([.. (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name)]);
    }

    [Fact]
    public async Task Tail_Killed_LitestreamIsStartedAgain()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);

        var (litestream, _) = await LitestreamAsync(silo);
        Assert.Single(litestream.Children()).Kill();
        await silo.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("litestreamRestarts").GetInt32() == 1, "Litestream runs again");
        (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);

        Assert.Equal(0, await silo.TerminateAsync());
        await machine.OnlyRunsAsync();
    }

    private static async Task<(ChildProcess Process, int Restarts)> LitestreamAsync(StandaloneHost silo)
    {
        var status = await silo.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("litestreamPid").ValueKind != System.Text.Json.JsonValueKind.Null, "Litestream runs");
        return (ChildProcess.Find(status.GetProperty("litestreamPid").GetInt32())!.Value, status.GetProperty("litestreamRestarts").GetInt32());
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int pid, int signal);
}
