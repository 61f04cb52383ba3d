using System.Globalization;

namespace Silo.SystemTests;

/// <summary>The service dies in the middle of writes, and its bucket with it: what it had promised is on the disk alone.</summary>
public sealed class KillTests
{
    private const int Rounds = 4;

    [Fact]
    public async Task Service_KilledDuringWrites_GoesOnFromItsFiles()
    {
        // SILO_TEST_SEED repeats a run.
        var seed = int.TryParse(Environment.GetEnvironmentVariable("SILO_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"SILO_TEST_SEED={seed}");
        var random = new Random(seed);
        await using var machine = new Machine();
        var ledgers = Enumerable.Range(1, 3).Select(number => new Ledger($"org-{number}")).ToList();

        for (var round = 1; round <= Rounds; round++)
        {
            var silo = await machine.StartStandaloneAsync();
            if (round == 1)
            {
                foreach (var ledger in ledgers) await silo.Operator.CreateOrganizationAsync(ledger.Organization);
            }
            var writers = (from ledger in ledgers from _ in Enumerable.Range(0, 2) select ledger.WriteUntilGoneAsync(silo.Member(ledger.Organization))).ToList();
            // A moment is a number of promises: from none yet (activations under way) to many.
            var until = ledgers.Sum(ledger => ledger.Promised) + random.Next(300);
            await Eventually.IsAsync(() => ledgers.Sum(ledger => ledger.Promised) >= until, $"round {round} of seed {seed} reaches {until} promises");
            await silo.KillAsync();
            await Task.WhenAll(writers);
        }

        var last = await machine.StartStandaloneAsync();
        foreach (var ledger in ledgers) await ledger.CheckAsync(last.Member(ledger.Organization));
        // The Litestreams of the dead have no bucket to flush to and would hang; each activation has ended its own.
        await Eventually.IsAsync(() => machine.Replicating().Count == 2 * ledgers.Count, $"only the Litestreams of the living run (seed {seed})");
        Assert.False(Directory.Exists(Path.Combine(machine.Databases, "set-aside")), $"a file was set aside (seed {seed})");

        Assert.Equal(0, await last.TerminateAsync());
        await machine.OnlyRunsAsync();
        Directory.Delete(machine.Databases, recursive: true);
        var afresh = await machine.StartStandaloneAsync();
        foreach (var ledger in ledgers) await ledger.CheckAsync(afresh.Member(ledger.Organization));
    }
}
