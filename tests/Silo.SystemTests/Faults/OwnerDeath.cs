namespace Silo.SystemTests.Faults;

/// <summary>How an owner comes to its end.</summary>
internal enum Death
{
    /// <summary>SIGTERM: everything is put away.</summary>
    Terminated,

    /// <summary>kill -9 of the silo; the machine stays, with its files and with the Litestreams, which find out by themselves.</summary>
    Killed,

    /// <summary>The machine is gone with all that ran on it and all that was stored on it.</summary>
    MachineLost,
}

/// <summary>An owner ends in the middle of the traffic. Others take over, or everybody waits until it is back.</summary>
internal sealed record OwnerDeath(int Owner, Death Death, bool OthersTakeOver) : IFault
{
    public string Kind => $"{(Death == Death.MachineLost ? "machine lost" : $"silo {Death.ToString().ToLowerInvariant()}")}, {(OthersTakeOver ? "taken over" : "back at once")}";

    public async Task BeginAsync(World world)
    {
        var owner = world.Owners[Owner];
        if (Death == Death.Terminated) await owner.TerminateAsync();
        else if (Death == Death.Killed) await owner.KillAsync();
        else await owner.LoseMachineAsync();
        if (!OthersTakeOver) return;

        var since = world.Recorder.Now;
        var moved = world.MoveAway(owner);
        await world.UntilServedAsync(moved, writes: 1);
        foreach (var organization in moved)
        {
            var first = world.Recorder.Contacts(organization).SelectMany(contact => contact.Writes.ToArray())
                .Where(write => write.Owner != owner && write.Outcome == Outcome.Acknowledged && write.End > since).Min(write => write.End);
            if (Death == Death.Terminated) world.Tally.TookOver(first - since, afterKill: false);
            else if (Death == Death.Killed) world.Tally.TookOver(first - since, afterKill: true);
        }
    }

    public Task HealAsync(World world) => world.Owners[Owner].StartAsync();
}
