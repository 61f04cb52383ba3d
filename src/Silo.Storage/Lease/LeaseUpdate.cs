using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>Changes the head of an organization that we own: renews the lease, publishes a generation, or gives it back.</summary>
/// <remarks>Whichever it is, it renews the lease: the object is written anew.</remarks>
internal sealed class LeaseUpdate : HeadChange
{
    private readonly StoredHead _known;
    private readonly Func<OrganizationHead, OrganizationHead> _change;
    private readonly bool _isRelease;

    private LeaseUpdate(
        StoredHead known, Func<OrganizationHead, OrganizationHead> change, LeaseOptions options, Func<string> newOperationId, bool isRelease = false)
        : base(newOperationId)
    {
        _known = known;
        _isRelease = isRelease;
        _change = head => change(head) with { TtlMs = (long)options.TimeToLive.TotalMilliseconds };
    }

    /// <summary>Holds on.</summary>
    /// <param name="known">The head as we know it.</param>
    /// <param name="highWater">What the file's counter shows, as far as the bucket has it; 0 when that is not known.</param>
    /// <param name="options">How long leases run.</param>
    /// <param name="newOperationId">Makes operation ids.</param>
    public static LeaseUpdate Renew(StoredHead known, long highWater, LeaseOptions options, Func<string> newOperationId) =>
        new(known, head => head with { Current = Raised(head.Current, highWater) }, options, newOperationId);

    /// <summary>Names the generation that holds this epoch's rows from now on.</summary>
    public static LeaseUpdate Publish(StoredHead known, string generation, long highWater, int schemaVersion, LeaseOptions options, Func<string> newOperationId) => new(
        known,
        head => head with
        {
            State = HeadState.Active,
            // A snapshot begins every generation, so what the bucket had of the one before is in it.
            Current = new ReplicaReference(head.Epoch, generation, Math.Max(highWater, head.Current?.HighWater ?? 0)),
            SchemaVersion = schemaVersion,
        },
        options, newOperationId);

    /// <summary>Gives the organization back. The next owner restores what was published, or what this one was to restore.</summary>
    public static LeaseUpdate Release(StoredHead known, long highWater, LeaseOptions options, Func<string> newOperationId) =>
        new(known, head => head with { State = HeadState.Released, Current = Raised(head.Current, highWater) }, options, newOperationId, isRelease: true);

    /// <inheritdoc/>
    public override LeaseStep Begin(TimeSpan now) => Send(_change(_known.Head), _known, now);

    /// <inheritdoc/>
    protected override LeaseStep Decide(StoredHead? found, TimeSpan now)
    {
        if (found is null || found.Head.Epoch != _known.Head.Epoch || found.Head.Owner != _known.Head.Owner)
        {
            // Given back, the answer lost, and taken at once: the new owner goes on from the very point that we left.
            return _isRelease && _change(_known.Head) is { Current: { } left } next && left == found?.Head.Base
                ? new LeaseStep.Done(new StoredHead(next, 0), now, _known.Head)
                : new LeaseStep.Moved(found?.Head);
        }

        // An epoch has one owner, so this is an earlier write of ours that was given up and came late: it counts, and we go on from it.
        // It adds nothing to the lease; when it was sent is not known here. Or the lease had run out and somebody gave it back for us
        // (an operator, a sweep): nobody has taken the organization, so it is ours still.
        var ours = found.Head.State == HeadState.Released && !_isRelease
            ? found.Head with { State = found.Head.Current is null ? HeadState.Acquiring : HeadState.Active }
            : found.Head;
        return Send(_change(ours), found, now);
    }

    private static ReplicaReference? Raised(ReplicaReference? current, long highWater) =>
        current is not null && highWater > current.HighWater ? current with { HighWater = highWater } : current;
}
