using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>
/// One change of one head, as a state machine: it is told what happened and says what to do next. It has no clock and does no
/// I/O; <see cref="HeadStore"/> carries it out, and so does a simulation.
/// </summary>
/// <remarks>
/// What went wrong with a write is never asked: 412 can stand for our own earlier try, and 429, 5xx or silence for a write that was
/// done or that comes late. Only the head can tell, by the operation id. Each send has an id of its own, so that the lease is
/// measured from the send that took effect, and every send names the generation it replaces: of several that are under way at
/// most one can take effect.
/// </remarks>
internal abstract class HeadChange(Func<string> newOperationId)
{
    private const int MaxSends = 4;

    /// <summary>GCS allows about one change a second per object name.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromSeconds(1);

    private readonly List<Sent> _sent = [];
    private bool _waited;

    private readonly record struct Sent(OrganizationHead Head, long IfGeneration, TimeSpan At, OrganizationHead? Previous);

    /// <summary>The first step.</summary>
    /// <param name="now">The monotonic clock.</param>
    public abstract LeaseStep Begin(TimeSpan now);

    /// <summary>The write was confirmed.</summary>
    /// <param name="generation">The object's generation now.</param>
    public LeaseStep Written(long generation) => DoneBy(_sent[^1], generation);

    /// <summary>The write was refused (412, 429), failed (5xx) or got no answer.</summary>
    public static LeaseStep Unclear() => new LeaseStep.Read();

    /// <summary>The wait is over.</summary>
    public static LeaseStep Waited() => new LeaseStep.Read();

    /// <summary>The head was read.</summary>
    /// <param name="found">Null when there is none.</param>
    /// <param name="now">The monotonic clock.</param>
    public LeaseStep Found(StoredHead? found, TimeSpan now)
    {
        if (found is not null && _sent.FindIndex(sent => sent.Head.OperationId == found.Head.OperationId) is >= 0 and var index)
            return DoneBy(_sent[index], found.ObjectGeneration);

        // As it was: the write did not take effect, or has not yet.
        if (!_waited && _sent.Count > 0 && _sent[^1].IfGeneration == (found?.ObjectGeneration ?? 0))
        {
            _waited = true;
            return new LeaseStep.Wait(Spacing);
        }
        _waited = false;
        return Decide(found, now);
    }

    /// <summary>Says what to do about a head that none of our sends wrote.</summary>
    protected abstract LeaseStep Decide(StoredHead? found, TimeSpan now);

    /// <summary>Has the head replaced.</summary>
    /// <param name="next">By what; it gets an operation id.</param>
    /// <param name="found">What it replaces.</param>
    /// <param name="now">The monotonic clock, before anything is sent.</param>
    protected LeaseStep Send(OrganizationHead next, StoredHead? found, TimeSpan now)
    {
        if (_sent.Count == MaxSends) return new LeaseStep.Unknown();
        next = next with { OperationId = newOperationId() };
        _sent.Add(new Sent(next, found?.ObjectGeneration ?? 0, now, found?.Head));
        return new LeaseStep.Write(next, found?.ObjectGeneration ?? 0);
    }

    private static LeaseStep.Done DoneBy(Sent sent, long generation) => new(new StoredHead(sent.Head, generation), sent.At, sent.Previous);
}
