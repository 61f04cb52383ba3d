namespace Silo.SystemTests.Faults;

/// <summary>The members of all organizations, who create, replace and delete contacts; each knows what became of its own.</summary>
internal sealed class Traffic
{
    private const int WritersPerOrganization = 2;
    private const double Stray = 0.05;

    private static readonly TimeSpan AfterAnswer = TimeSpan.FromMilliseconds(40);
    private static readonly TimeSpan AfterRefusal = TimeSpan.FromMilliseconds(100);

    private readonly World _world;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _writers;

    private Traffic(World world, int seed)
    {
        _world = world;
        _writers = Task.WhenAll(
            from place in Enumerable.Range(0, world.Organizations.Count)
            from writer in Enumerable.Range(0, WritersPerOrganization)
            select Task.Run(() => WriteAsync(world.Organizations[place], new Random(HashCode.Combine(seed, place, writer)))));
    }

    public static Traffic Start(World world, int seed) => new(world, seed);

    /// <summary>Waits until every request that is under way was answered or given up.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _writers;
        _stopping.Dispose();
    }

    private async Task WriteAsync(string organization, Random random)
    {
        var mine = new List<Contact>();
        while (!_stopping.IsCancellationRequested)
        {
            // Now and then a request goes astray, to an owner that must not take it.
            var owner = random.NextDouble() < Stray ? _world.Owners[random.Next(_world.Owners.Count)] : _world.Home(organization);
            var (kind, replicated) = (Choose(random, mine.Count), random.Next(4) == 0);
            var refused = true;
            if (owner is { IsFrozen: false, Service: { } service })
            {
                var contact = kind == WriteKind.Create ? _world.Recorder.NewContact(organization) : Take(mine, random);
                refused = (await _world.Recorder.SendAsync(contact, kind, owner, service, replicated)).Outcome != Outcome.Acknowledged;
                if (contact.IsClear) mine.Add(contact);
            }
            await Pause.ForAsync(refused ? AfterRefusal : AfterAnswer, _stopping.Token);
        }
    }

    private static WriteKind Choose(Random random, int contacts) => random.Next(10) switch
    {
        _ when contacts < 3 => WriteKind.Create,
        < 6 => WriteKind.Create,
        < 9 => WriteKind.Replace,
        _ => WriteKind.Delete,
    };

    private static Contact Take(List<Contact> contacts, Random random)
    {
        var at = random.Next(contacts.Count);
        var contact = contacts[at];
        contacts.RemoveAt(at);
        return contact;
    }
}
