namespace Silo.SystemTests.Faults;

/// <summary>What happens between an owner and the bucket.</summary>
internal enum Cut
{
    /// <summary>Nothing arrives, and nobody is told.</summary>
    Silent,

    /// <summary>Every connection is reset.</summary>
    Reset,

    /// <summary>Everything arrives, a second later each way.</summary>
    Slow,
}

/// <summary>One owner alone is cut off from the bucket: for a moment, or past its lease while its members still reach it.</summary>
internal sealed record NetworkTrouble(int Owner, Cut Cut, bool OthersTakeOver) : IFault
{
    private static readonly TimeSpan Slowness = TimeSpan.FromSeconds(1);

    public string Kind => $"network {Cut.ToString().ToLowerInvariant()}{(OthersTakeOver ? ", taken over" : "")}";

    public async Task BeginAsync(World world)
    {
        var owner = world.Owners[Owner];
        if (Cut == Cut.Silent) owner.Link.Silence();
        else if (Cut == Cut.Reset) owner.Link.Reset();
        else owner.Link.Delay = Slowness;
        if (!OthersTakeOver) return;

        var moved = world.MoveAway(owner);
        // Those who have not heard of the move go on asking the old one for as long as it takes.
        using var served = new CancellationTokenSource();
        var stubborn = Task.WhenAll(moved.Select(organization => WriteUntilAsync(world, organization, owner, served.Token)));
        await world.UntilServedAsync(moved, writes: 3);
        await served.CancelAsync();
        await stubborn;
    }

    public Task HealAsync(World world)
    {
        world.Owners[Owner].Link.Heal();
        return Task.CompletedTask;
    }

    private static async Task WriteUntilAsync(World world, string organization, Owner owner, CancellationToken served)
    {
        while (!served.IsCancellationRequested)
        {
            await world.WriteAsync(organization, owner, replicated: false);
            await Pause.ForAsync(TimeSpan.FromMilliseconds(100), served);
        }
    }
}
