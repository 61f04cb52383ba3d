using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>
/// What a <see cref="HeadChange"/> wants done next. Who carries it out does exactly that, tells the outcome, and decides nothing.
/// </summary>
internal abstract record LeaseStep
{
    private LeaseStep()
    {
    }

    /// <summary>Read the head, then tell <see cref="HeadChange.Found"/>.</summary>
    public sealed record Read : LeaseStep;

    /// <summary>Look at the replica beside the head that was found, then tell <see cref="LeaseClaim.Inspected"/> what to restore.</summary>
    /// <param name="Head">Null when there is none.</param>
    public sealed record Inspect(OrganizationHead? Head) : LeaseStep;

    /// <summary>Send one conditional write, once, then tell <see cref="HeadChange.Written"/> or <see cref="HeadChange.Unclear"/>.</summary>
    /// <param name="Head">What to write.</param>
    /// <param name="IfGeneration">Over which generation of the object; 0 for none.</param>
    public sealed record Write(OrganizationHead Head, long IfGeneration) : LeaseStep;

    /// <summary>Wait, then tell <see cref="HeadChange.Waited"/>.</summary>
    /// <param name="Time">How long.</param>
    public sealed record Wait(TimeSpan Time) : LeaseStep;

    /// <summary>It is done: the head is as wanted.</summary>
    /// <param name="Stored">The head now.</param>
    /// <param name="SentAt">When the request that made it so was sent, by the sender's monotonic clock.</param>
    /// <param name="Previous">The head that it replaced.</param>
    public sealed record Done(StoredHead Stored, TimeSpan SentAt, OrganizationHead? Previous) : LeaseStep;

    /// <summary>It is refused: the organization has an owner whose lease runs.</summary>
    /// <param name="Owner">The owner.</param>
    /// <param name="Left">How long the lease runs at most, unless it is renewed.</param>
    public sealed record Held(HeadOwner Owner, TimeSpan Left) : LeaseStep;

    /// <summary>It is over: somebody else wrote the head.</summary>
    /// <param name="Found">The head now; null when there is none.</param>
    public sealed record Moved(OrganizationHead? Found) : LeaseStep;

    /// <summary>Given up after several tries; the last one may still take effect.</summary>
    public sealed record Unknown : LeaseStep;
}
