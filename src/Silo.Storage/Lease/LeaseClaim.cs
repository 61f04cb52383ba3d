using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>Takes an organization that nobody owns, whose lease has run out, or whose owner is known to be dead.</summary>
/// <param name="owner">Who takes it.</param>
/// <param name="options">How long leases run.</param>
/// <param name="drainOf">
/// Asked about a lease that still runs: null unless its owner is known to be dead; then how long the dead one's Litestream may still
/// upload. What proves a death is the caller's to know (<see cref="FormerOwner"/>).
/// </param>
/// <param name="newOperationId">Makes operation ids.</param>
internal sealed class LeaseClaim(HeadOwner owner, LeaseOptions options, Func<OrganizationHead, TimeSpan?> drainOf, Func<string> newOperationId)
    : HeadChange(newOperationId)
{
    private const long None = -1;

    private long _drained = None; // the epoch whose owner's Litestream had its time
    private long _inspected = None; // the generation of the head that the replica was looked at for
    private StoredHead? _inspecting;
    private ReplicaReference? _base;

    /// <inheritdoc/>
    public override LeaseStep Begin(TimeSpan now) => new LeaseStep.Read();

    /// <summary>The replica was looked at.</summary>
    /// <param name="replica">What to restore; null for an organization that has no rows yet.</param>
    /// <param name="now">The monotonic clock.</param>
    public LeaseStep Inspected(ReplicaReference? replica, TimeSpan now)
    {
        _base = replica;
        _inspected = _inspecting?.ObjectGeneration ?? 0;
        return Decide(_inspecting, now);
    }

    /// <inheritdoc/>
    protected override LeaseStep Decide(StoredHead? found, TimeSpan now)
    {
        if (found is not null && LeaseLeft(found, options) is { Ticks: > 0 } left)
        {
            if (drainOf(found.Head) is not { } drain) return new LeaseStep.Held(found.Head.Owner, left);
            if (drain > TimeSpan.Zero && _drained != found.Head.Epoch)
            {
                _drained = found.Head.Epoch;
                return new LeaseStep.Wait(drain < left ? drain : left);
            }
        }
        if (_inspected != (found?.ObjectGeneration ?? 0))
        {
            _inspecting = found;
            return new LeaseStep.Inspect(found?.Head);
        }

        // An owner that came to nothing before it published leaves what it was to restore to the next one.
        return Send(
            new OrganizationHead
            {
                Epoch = (found?.Head.Epoch ?? 0) + 1,
                State = HeadState.Acquiring,
                Owner = owner,
                OperationId = "",
                TtlMs = (long)options.TimeToLive.TotalMilliseconds,
                Base = found?.Head.Truth ?? _base,
                SchemaVersion = found?.Head.SchemaVersion ?? 0,
            },
            found, now);
    }

    /// <summary>How long a lease runs at most; zero or less when anyone may take the organization.</summary>
    public static TimeSpan LeaseLeft(StoredHead found, LeaseOptions options)
    {
        if (found.Head.State == HeadState.Released) return TimeSpan.Zero;
        // Heads of before there were leases say nothing of a time.
        var timeToLive = found.Head.TtlMs > 0 ? TimeSpan.FromMilliseconds(found.Head.TtlMs) : options.TimeToLive;
        return timeToLive - found.Age;
    }
}
