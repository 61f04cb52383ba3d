using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

/// <summary>The one object that matters, with a server's clock, and every rule that a write of it must keep.</summary>
internal sealed class SimulatedBucket
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, 250, TimeSpan.Zero);

    private readonly Dictionary<string, LeaseIntent> _sent = [];
    private readonly HashSet<string> _executed = [];
    private long _generation;
    private TimeSpan _updated;
    private bool _isGivenBack; // by its owner

    public OrganizationHead? Head { get; private set; }

    public long Takes { get; private set; }

    public void Sent(OrganizationHead head, LeaseIntent intent) => _sent[head.OperationId] = intent;

    public bool HasExecuted(OrganizationHead head) => _executed.Contains(head.OperationId);

    /// <summary>As the client reads it: two times in whole seconds.</summary>
    public StoredHead? Read(TimeSpan now) => Head is null ? null : new StoredHead(Head, _generation, HeadAge.AtLeast(Seconds(now), Seconds(_updated)));

    /// <returns>The generation; null for 412.</returns>
    public long? Write(LeaseStep.Write write, TimeSpan now)
    {
        if (write.IfGeneration != _generation) return null;
        var intent = _sent[write.Head.OperationId];
        if (Head is null) Broken.If(write.Head is not { Epoch: 1, State: HeadState.Acquiring, Base: null, Current: null }, "the first head takes the first epoch");
        else CheckNext(Head, write.Head, intent, now);
        if (intent == LeaseIntent.Take) Takes++;
        _isGivenBack = intent == LeaseIntent.Release;
        (Head, _updated) = (write.Head, now);
        _executed.Add(Head.OperationId);
        return ++_generation;
    }

    private void CheckNext(OrganizationHead before, OrganizationHead next, LeaseIntent intent, TimeSpan now)
    {
        Broken.If(next.Epoch < before.Epoch, $"epochs only rise ({before.Epoch} -> {next.Epoch})");
        Broken.If(next.Owner != before.Owner && next.Epoch != before.Epoch + 1, "another owner, another epoch");
        var isOver = before.State == HeadState.Released || now - _updated >= TimeSpan.FromMilliseconds(before.TtlMs);
        Broken.If(intent == LeaseIntent.ReleaseExpired && !isOver, "a lease that runs is not given back for a living owner");
        if (intent == LeaseIntent.Take)
        {
            Broken.If(next.Owner == before.Owner && before.State != HeadState.Released, "an owner whose claim took effect knows it, and does not take the organization again");
            Broken.If(next.Epoch != before.Epoch + 1, "who takes it begins an epoch");
            Broken.If(next is not { State: HeadState.Acquiring, Current: null } || next.Base != before.Truth, $"the next owner restores what was published: {before.Truth} -> {next.Base}");
            Broken.If(!isOver && next.Owner.DataDirectoryId != before.Owner.DataDirectoryId, "a lease that runs is not taken from a living owner");
            return;
        }
        Broken.If(next.Epoch != before.Epoch || next.Owner != before.Owner, "only the owner of an epoch changes its head");
        Broken.If(next.Base != before.Base, "an owner does not change what it was to restore");
        Broken.If(intent != LeaseIntent.Publish && next.Current?.Generation != before.Current?.Generation, "what was published stays");
        Broken.If(next.Current?.HighWater < before.Current?.HighWater, "marks only rise");
        Broken.If(_isGivenBack && next.State != HeadState.Released, "what its owner has given back is not owned again without an epoch");
    }

    private static DateTimeOffset Seconds(TimeSpan time) => new((Start + time).Ticks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, TimeSpan.Zero);
}

/// <summary>What a change is meant to do.</summary>
internal enum LeaseIntent
{
    Take,
    Renew,
    Publish,
    Release,
    ReleaseExpired,
}

/// <summary>An invariant does not hold.</summary>
internal sealed class Broken(string what) : Exception(what)
{
    public static void If(bool broken, string what)
    {
        if (broken) throw new Broken(what);
    }
}
