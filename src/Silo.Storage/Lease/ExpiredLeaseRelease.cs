using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>
/// Gives back what a dead owner did not, in its place: epoch, base and current stay as they are, so the next owner restores what
/// it would have restored anyway. A lease that runs is not touched.
/// </summary>
internal sealed class ExpiredLeaseRelease(LeaseOptions options, Func<string> newOperationId) : HeadChange(newOperationId)
{
    /// <inheritdoc/>
    public override LeaseStep Begin(TimeSpan now) => new LeaseStep.Read();

    /// <inheritdoc/>
    protected override LeaseStep Decide(StoredHead? found, TimeSpan now)
    {
        if (found is null) return new LeaseStep.Moved(null);
        if (found.Head.State == HeadState.Released) return new LeaseStep.Done(found, now, found.Head);
        return LeaseClaim.LeaseLeft(found, options) is { Ticks: > 0 } left
            ? new LeaseStep.Held(found.Head.Owner, left)
            : Send(found.Head with { State = HeadState.Released }, found, now);
    }
}
