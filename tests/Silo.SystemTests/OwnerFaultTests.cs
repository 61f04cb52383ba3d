using Silo.SystemTests.Faults;

namespace Silo.SystemTests;

/// <summary>One owner after the other is killed, lost, frozen or cut off in the middle of the traffic; others serve its organizations meanwhile.</summary>
public sealed class OwnerFaultTests
{
    [Fact]
    public async Task Silo_KilledAndBackAtOnce_GoesOnWithItsFile()
    {
        var tally = await RunAsync([new OwnerDeath(0, Death.Killed, OthersTakeOver: false), new OwnerDeath(1, Death.Killed, OthersTakeOver: false)], SlowMachine);
        Assert.Equal(0, tally.LostWithMachines);
        Assert.Equal(0, tally.KeptOnDisk);
    }

    [Fact]
    public async Task Silo_KilledAndTakenOver_LosesNothingThatTheBucketHad()
    {
        // Its Litestream uploads what it can while it lives on. What a slow machine did not get to is on its disk: the judge looks there.
        var tally = await RunAsync([new OwnerDeath(1, Death.Killed, OthersTakeOver: true), new OwnerDeath(0, Death.Killed, OthersTakeOver: true)], SlowMachine);
        Assert.Equal(0, tally.LostWithMachines);
    }

    [Fact]
    public async Task Machine_Lost_LosesNothingThatTheBucketHad()
    {
        var tally = await RunAsync([new OwnerDeath(0, Death.MachineLost, OthersTakeOver: true), new OwnerDeath(1, Death.MachineLost, OthersTakeOver: false)]);
        Assert.Equal(0, tally.KeptOnDisk);
    }

    [Fact]
    public Task Zombie_FrozenPastItsLease_ChangesNothingAnyMore() => RunAsync([new OwnerFreeze(0, WholeMachine: false), new OwnerFreeze(1, WholeMachine: true)]);

    [Fact]
    public Task Zombie_CutOffPastItsLease_ChangesNothingAnyMore() =>
        RunAsync([new NetworkTrouble(0, Cut.Silent, OthersTakeOver: true), new NetworkTrouble(1, Cut.Reset, OthersTakeOver: true)]);

    [Fact]
    public async Task Owner_Terminated_LeavesEverythingToTheNext()
    {
        var tally = await RunAsync([new OwnerDeath(0, Death.Terminated, OthersTakeOver: true), new OwnerDeath(1, Death.Terminated, OthersTakeOver: true)]);
        Assert.Equal(0, tally.LostWithMachines);
        Assert.Equal(0, tally.KeptOnDisk);
    }

    /// <summary>A lease that outlasts a restart, and time to publish, where all tests run at once.</summary>
    private static string[] SlowMachine => ["--Lease:TimeToLive=00:00:10", "--Litestream:PublishWait=00:00:30"];

    /// <summary>One round for each fault.</summary>
    private static async Task<Tally> RunAsync(IFault[] faults, params string[] settings)
    {
        var tally = new Tally();
        await using (var world = await World.StartAsync(owners: 2, organizations: 2, tally, settings))
        {
            for (var i = 0; i < faults.Length; i++) await new Round(i + 1, Seed: i, [faults[i]], Before: 20, Hold: TimeSpan.Zero).RunAsync(world);
        }
        TestContext.Current.TestOutputHelper?.WriteLine(tally.ToString());
        Assert.Equal((0, 0), (tally.Lost, tally.Zombies));
        return tally;
    }
}
