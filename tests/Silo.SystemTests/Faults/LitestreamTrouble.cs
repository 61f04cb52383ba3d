using Silo.Storage.Litestream;

namespace Silo.SystemTests.Faults;

/// <summary>Some of an owner's Litestreams are killed, or stand still: the silo is to find out, and to lose nothing.</summary>
internal sealed record LitestreamTrouble(int Owner, bool Freeze, int Seed) : IFault
{
    private IReadOnlyList<ChildProcess> _frozen = [];

    public string Kind => $"Litestream {(Freeze ? "frozen" : "killed")}";

    public async Task BeginAsync(World world)
    {
        var random = new Random(Seed);
        var chosen = world.Owners[Owner].Litestreams.Where(_ => random.Next(2) == 0).ToList();
        if (Freeze)
        {
            await chosen.FreezeAsync();
            _frozen = chosen;
        }
        else
        {
            foreach (var litestream in chosen) litestream.Kill();
        }
    }

    /// <summary>Nothing to do if the silo has replaced it by now.</summary>
    public Task HealAsync(World world)
    {
        _frozen.Thaw();
        return Task.CompletedTask;
    }
}
