namespace Silo.SystemTests.Faults;

/// <summary>One round: traffic, faults in the midst of it, and the comparison at its end.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Seed">Of its traffic.</param>
/// <param name="Faults">In the order in which they begin; they are healed in the opposite one.</param>
/// <param name="Before">Writes of each organization that are answered before the first fault.</param>
/// <param name="Hold">How long the faults last at least.</param>
internal sealed record Round(int Number, int Seed, IReadOnlyList<IFault> Faults, int Before, TimeSpan Hold)
{
    public override string ToString() => $"round {Number}: {string.Join(" + ", Faults.Select(fault => fault.Kind))}, after {Before} writes, for {Hold.TotalMilliseconds:0} ms";

    public async Task RunAsync(World world)
    {
        const int After = 3;
        world.Recorder.Happened(ToString());
        var traffic = Traffic.Start(world, Seed);
        try
        {
            await world.UntilServedAsync(world.Organizations, Before);
            foreach (var fault in Faults)
            {
                world.Recorder.Happened($"begins: {fault}");
                await fault.BeginAsync(world);
                world.Tally.Injected(fault.Kind);
            }
            await Pause.ForAsync(Hold, TestContext.Current.CancellationToken);
            foreach (var fault in Faults.Reverse())
            {
                world.Recorder.Happened($"heals: {fault}");
                await fault.HealAsync(world);
            }
            await world.UntilServedAsync(world.Organizations, After);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{this}: {e.Message}\n{world.Tell(maxLines: 150)}", e);
        }
        finally
        {
            await traffic.StopAsync();
        }
        await world.CheckAsync();
        world.Tally.Rounds++;
    }
}

/// <summary>The rounds of a run, which follow from its seed alone.</summary>
internal sealed class Schedule(int seed, int owners, IReadOnlyList<string> organizations)
{
    private readonly Random _random = new(seed);
    private readonly Queue<Func<IFault>> _deck = new();
    private readonly Queue<string> _bucketDeck = new();

    public IEnumerable<Round> Rounds()
    {
        for (var number = 1; ; number++)
        {
            var faults = new List<IFault> { Deal() };
            // Sometimes misfortunes do not come singly.
            if (_random.Next(3) == 0) faults.Insert(0, _random.Next(2) == 0 ? Bucket(moves: 0) : AnyHandover());
            yield return new Round(number, _random.Next(), faults, Before: _random.Next(1, 12), TimeSpan.FromMilliseconds(_random.Next(100, 1500)));
        }
    }

    /// <summary>Every kind comes before any comes again.</summary>
    private IFault Deal()
    {
        if (_deck.Count == 0)
        {
            Func<IFault>[] kinds =
            [
                () => new OwnerDeath(AnyOwner(), Death.Killed, OthersTakeOver: false), () => new OwnerDeath(AnyOwner(), Death.Killed, OthersTakeOver: true),
                () => new OwnerDeath(AnyOwner(), Death.MachineLost, OthersTakeOver: false), () => new OwnerDeath(AnyOwner(), Death.MachineLost, OthersTakeOver: true),
                () => new OwnerDeath(AnyOwner(), Death.Terminated, OthersTakeOver: true),
                () => new OwnerFreeze(AnyOwner(), WholeMachine: false), () => new OwnerFreeze(AnyOwner(), WholeMachine: true),
                () => new NetworkTrouble(AnyOwner(), Cut.Silent, OthersTakeOver: true), () => new NetworkTrouble(AnyOwner(), Cut.Reset, OthersTakeOver: true),
                () => new NetworkTrouble(AnyOwner(), (Cut)_random.Next(3), OthersTakeOver: false),
                () => new LitestreamTrouble(AnyOwner(), Freeze: false, _random.Next()), () => new LitestreamTrouble(AnyOwner(), Freeze: true, _random.Next()),
                () => new ClockStep(TimeSpan.FromHours(_random.Next(1, 12) * (_random.Next(2) == 0 ? 1 : -1))),
                AnyHandover,
                // As many as all the others together: a round of them is short.
                .. Enumerable.Repeat(() => Bucket(moves: 2), 14),
            ];
            _random.Shuffle(kinds);
            foreach (var kind in kinds) _deck.Enqueue(kind);
        }
        return _deck.Dequeue()();
    }

    private BucketTrouble Bucket(int moves)
    {
        if (_bucketDeck.Count == 0)
        {
            var names = BucketTrouble.Names.ToArray();
            _random.Shuffle(names);
            foreach (var name in names) _bucketDeck.Enqueue(name);
        }
        return new BucketTrouble(_bucketDeck.Dequeue(), _random.Next(), moves);
    }

    private Handover AnyHandover() => new(organizations[_random.Next(organizations.Count)], _random.Next());

    private int AnyOwner() => _random.Next(owners);
}
