namespace Silo.SystemTests.Faults;

/// <summary>
/// An owner stands still past its lease, others take over and write, and then it goes on and is written to: a zombie that does not
/// know it. Some of these writes reach it while it stands still, some afterwards.
/// </summary>
internal sealed record OwnerFreeze(int Owner, bool WholeMachine) : IFault
{
    private const int WritesOfOthers = 5;
    private const int WritesToZombie = 6;

    private readonly List<Task> _sent = [];
    private IReadOnlyList<string> _organizations = [];

    public string Kind => $"{(WholeMachine ? "machine" : "silo")} frozen, taken over";

    public async Task BeginAsync(World world)
    {
        var owner = world.Owners[Owner];
        if (WholeMachine) await owner.FreezeMachineAsync();
        else await owner.FreezeAsync();
        _organizations = world.OrganizationsOf(owner);
        for (var i = 0; i < WritesToZombie / 2; i++) Send(world, owner, replicated: i == 0);
        world.MoveAway(owner);
        await world.UntilServedAsync(_organizations, WritesOfOthers);
    }

    public async Task HealAsync(World world)
    {
        var owner = world.Owners[Owner];
        owner.Thaw();
        for (var i = 0; i < WritesToZombie / 2; i++)
        {
            Send(world, owner, replicated: i == 0);
            await Task.WhenAll(_sent);
        }
    }

    private void Send(World world, Owner owner, bool replicated) =>
        _sent.AddRange(_organizations.Select(organization => world.WriteAsync(organization, owner, replicated)));
}
