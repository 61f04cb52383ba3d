using System.Collections.Concurrent;

namespace Silo.SystemTests.Faults;

/// <summary>Some owners, some organizations, one bucket, and the book that is kept of it all.</summary>
internal sealed class World : IAsyncDisposable
{
    private readonly Machine _machine;
    private readonly ConcurrentDictionary<string, Owner> _homes = new();
    private readonly Checker _checker;
    private int _restores;

    private World(Machine machine, SharedBucket bucket, int owners, IReadOnlyList<string> organizations, Tally tally, string[] settings)
    {
        _machine = machine;
        Bucket = bucket;
        Organizations = organizations;
        Tally = tally;
        Owners = [.. Enumerable.Range(1, owners).Select(number => new Owner($"owner-{number}", bucket, organizations, Recorder, settings, hasSteppedClock: number == 1))];
        for (var i = 0; i < organizations.Count; i++) _homes[organizations[i]] = Owners[i % owners];
        Heads = new HeadHistory(bucket, organizations, Recorder);
        Directory.CreateDirectory(machine["restored"]);
        _checker = new Checker(Recorder, Heads, tally, machine["restored"]);
    }

    public SharedBucket Bucket { get; }

    public IReadOnlyList<Owner> Owners { get; }

    public IReadOnlyList<string> Organizations { get; }

    public Recorder Recorder { get; } = new();

    public HeadHistory Heads { get; }

    public Tally Tally { get; }

    /// <summary>Starts a bucket and some owners, and registers some organizations with each.</summary>
    /// <param name="owners">How many.</param>
    /// <param name="organizations">How many.</param>
    /// <param name="tally">What is counted.</param>
    /// <param name="settings">What owners run with beside, or instead of, <see cref="OwnerSettings"/>.</param>
    public static async Task<World> StartAsync(int owners, int organizations, Tally tally, params string[] settings)
    {
        var machine = new Machine();
        var world = new World(machine, await SharedBucket.StartAsync(machine), owners, [.. Enumerable.Range(1, organizations).Select(number => $"org-{number}")], tally, settings);
        try
        {
            await Task.WhenAll(world.Owners.Select(owner => owner.StartAsync()));
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where the members of an organization send their requests.</summary>
    public Owner Home(string organization) => _homes[organization];

    public IReadOnlyList<string> OrganizationsOf(Owner owner) => [.. Organizations.Where(organization => Home(organization) == owner)];

    /// <summary>From now on they send them there.</summary>
    public void Move(string organization, Owner to)
    {
        _homes[organization] = to;
        Recorder.Happened($"{organization} moves to {to.Name}");
    }

    /// <summary>Spreads the organizations of an owner over the others that run.</summary>
    /// <returns>The organizations.</returns>
    public IReadOnlyList<string> MoveAway(Owner owner)
    {
        var others = Owners.Where(other => other != owner && other is { IsUp: true, IsFrozen: false }).ToList();
        var moved = OrganizationsOf(owner);
        for (var i = 0; i < moved.Count; i++) Move(moved[i], others[i % others.Count]);
        return moved;
    }

    /// <summary>Adds a contact at an owner, whoever is the right one.</summary>
    public Task<Write> WriteAsync(string organization, Owner owner, bool replicated, string? notes = null) =>
        Recorder.SendAsync(Recorder.NewContact(organization, notes), WriteKind.Create, owner, owner.Service!, replicated);

    /// <summary>Waits until so many more writes of each of these organizations were acknowledged where they live.</summary>
    public async Task UntilServedAsync(IReadOnlyList<string> organizations, int writes)
    {
        var wanted = organizations.ToDictionary(organization => organization, organization => Recorder.Acknowledged(organization, Home(organization)) + writes);
        await Eventually.IsAsync(
            () => wanted.All(entry => Recorder.Acknowledged(entry.Key, Home(entry.Key)) >= entry.Value),
            $"{string.Join(", ", organizations.Select(organization => $"{organization} is served by {Home(organization).Name}"))}");
    }

    /// <summary>
    /// Compares every organization with the bucket once nobody writes any more. Each is written to a last time with an answer from
    /// the bucket: an organization that cannot be written to when all faults are over is lost too.
    /// </summary>
    public async Task CheckAsync()
    {
        await Task.WhenAll(Organizations.Select(async organization =>
        {
            await Eventually.GetAsync(
                async () => (await WriteAsync(organization, Home(organization), replicated: true)) is { Outcome: Outcome.Acknowledged, IsReplicated: true } written ? written : await PausedAsync(),
                $"{organization} is written to at {Home(organization).Name}");
            await Heads.UntilSeenAsync(organization, Recorder.Now);
        }));
        foreach (var organization in Organizations)
        {
            var file = _machine[$"restored/{++_restores}.db"];
            var restored = await Bucket.Objects.RestoreByHandAsync(organization, file);
            foreach (var part in Directory.EnumerateFiles(_machine["restored"], $"{_restores}.db*")) File.Delete(part);
            _checker.Check(organization, restored);
            _checker.CheckPlaces(organization, await Bucket.NamesAsync($"litestream-replicas/{organization}/"));
            // An owner that was started again looks after the files that it finds, and may have it for a moment once it is idle here.
            var served = await Eventually.GetAsync(() => ServedAsync(organization), $"{organization} is read at {Home(organization).Name}");
            if (!served.SequenceEqual(restored.Select(contact => contact.Name))) Assert.Fail($"{organization}: {Home(organization).Name} serves other rows than the bucket has.");
        }
        if (_checker.Violations is { Count: > 0 } violations)
        {
            var first = violations[0].Split(':')[0];
            Assert.Fail($"{violations.Count} violations:\n{string.Join('\n', violations.Take(20))}\n\nWhat happened to {first}:\n{Recorder.Tell(first, maxLines: 400)}");
        }
    }

    /// <summary>The last of what happened, to each organization.</summary>
    public string Tell(int maxLines) => string.Join('\n', Organizations.Select(organization => $"What happened to {organization}:\n{Recorder.Tell(organization, maxLines)}"));

    public async ValueTask DisposeAsync()
    {
        Tally.Count(Recorder.Writes);
        foreach (var owner in Owners) await owner.DisposeAsync();
        await Heads.DisposeAsync();
        await _machine.DisposeAsync();
    }

    private async Task<IReadOnlyList<string>?> ServedAsync(string organization)
    {
        var member = Home(organization).Service!.Member(organization);
        return await member.GetAsync("/api/contacts/count") is { Status: 200 } ? await member.NamesAsync() : null;
    }

    private static async Task<Write?> PausedAsync()
    {
        await Pause.ForAsync(TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken);
        return null;
    }
}
