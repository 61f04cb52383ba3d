using System.Runtime.InteropServices;

namespace Silo.SystemTests;

/// <summary>The service is asked to end at an awkward moment, or more than once, or by Ctrl-C.</summary>
public sealed partial class InterruptionTests
{
    private const int SigInt = 2;

    [Fact]
    public async Task Service_TerminatedDuringActivations_LeavesNothingHalfOpen()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        var ledgers = Enumerable.Range(1, 6).Select(number => new Ledger($"org-{number}")).ToList();
        foreach (var ledger in ledgers)
        {
            await silo.Operator.CreateOrganizationAsync(ledger.Organization);
            (await ledger.WriteAsync(silo.Member(ledger.Organization), "replicated")).Is(201);
        }
        Assert.Equal(0, await silo.TerminateAsync());

        // One is open and has a write to flush; of the others, three are at their lease and two wait for their turn.
        silo = await machine.StartStandaloneAsync("--Database:MaxConcurrentActivations=3");
        (await ledgers[0].WriteAsync(silo.Member("org-1"))).Is(201);
        await silo.Bucket.BreakAsync("""[{"method":"GET","action":"delay","delayMs":2000}]""");
        var reads = ledgers.Skip(1).Select(ledger => AnswerOrGoneAsync(silo.Member(ledger.Organization))).ToList();
        await Eventually.GetAsync(async () => (await silo.Operator.GetAsync("/api/admin/databases")).Is(200).Json.GetProperty("items").EnumerateArray()
            .Count(database => database.GetProperty("state").GetString() == "activating") == 5 ? "yes" : null, "five are being opened");
        Assert.Equal(0, await silo.TerminateAsync());
        Assert.All(await Task.WhenAll(reads), answer => Assert.True(answer is null or { Status: 503 or 200 }, answer?.Text));

        Assert.Matches(@"Stopped: all \d databases are in the bucket", silo.Process.Output);
        await machine.OnlyRunsAsync();
        Assert.Empty(Directory.EnumerateFiles(machine.Databases, "org-*", SearchOption.AllDirectories));
        silo = await machine.StartStandaloneAsync();
        foreach (var ledger in ledgers) await ledger.CheckAsync(silo.Member(ledger.Organization));
    }

    [Fact]
    public async Task Service_TerminatedTwice_StillFlushesEverything()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        var ledger = await WrittenAsync(silo);

        await silo.Bucket.BreakAsync("""[{"method":"insertObject","namePrefix":"heads/","action":"delay","delayMs":2000}]""");
        silo.Process.Identity.Terminate();
        await Eventually.IsAsync(() => silo.Process.Output.Contains("are being flushed", StringComparison.Ordinal), "it stops");
        for (var again = 0; again < 3; again++) silo.Process.Identity.Terminate();
        Assert.Equal(0, await silo.Process.ExitAsync());

        await IsInTheBucketAsync(machine, silo, ledger);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Service_CtrlCInItsTerminal_FlushesAndSaysSo(int times)
    {
        await using var machine = new Machine();
        // A terminal sends the signal to every process of the group in front; here it is the group that setsid makes. Whoever runs the
        // tests in the background has them ignore the signal, and children inherit that.
        var silo = await machine.StartStandaloneAsync(["setsid", "env", "--default-signal=INT"], []);
        var ledger = await WrittenAsync(silo);
        await silo.Bucket.BreakAsync("""[{"method":"insertObject","namePrefix":"heads/","action":"delay","delayMs":2000}]""");

        Assert.Equal(0, Signal(-silo.Process.Identity.Pid, SigInt));
        if (times == 2)
        {
            await Eventually.IsAsync(() => silo.Process.Output.Contains("are being flushed", StringComparison.Ordinal), "it stops");
            Assert.Equal(0, Signal(-silo.Process.Identity.Pid, SigInt));
        }
        Assert.Equal(0, await silo.Process.ExitAsync());

        Assert.DoesNotContain("started again", silo.Process.Output, StringComparison.Ordinal);
        await IsInTheBucketAsync(machine, silo, ledger);
    }

    private static async Task<Ledger> WrittenAsync(StandaloneHost silo)
    {
        await silo.Operator.CreateOrganizationAsync("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(silo.Member("acme"), "replicated")).Is(201);
        for (var i = 0; i < 20; i++) (await ledger.WriteAsync(silo.Member("acme"))).Is(201);
        return ledger;
    }

    private static async Task IsInTheBucketAsync(Machine machine, StandaloneHost silo, Ledger ledger)
    {
        Assert.Contains("Stopping: 1 databases are being flushed to the bucket", silo.Process.Output, StringComparison.Ordinal);
        Assert.Contains("Stopped: all 1 databases are in the bucket", silo.Process.Output, StringComparison.Ordinal);
        await machine.OnlyRunsAsync();
        Assert.Empty(Directory.EnumerateFiles(machine.Databases, "org-*", SearchOption.AllDirectories));
        var afterwards = await machine.StartStandaloneAsync();
        ledger.Check([.. (await afterwards.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name)]);
    }

    private static async Task<Answer?> AnswerOrGoneAsync(Client member)
    {
        try
        {
            return await member.GetAsync("/api/contacts");
        }
        catch (HttpRequestException)
        {
            return null; // nobody is there any more
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int pid, int signal);
}
