using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Lease;

namespace Silo.Storage.Gcs;

/// <summary>
/// This activation's ownership of an organization, as the head in the bucket says it: taken with a new epoch, renewed from then on,
/// published with the generation that this epoch replicates into, and given back.
/// </summary>
/// <remarks>
/// Thread-safe. When it has run out by our own clock, nothing may be written, but it is not lost: if nobody took the organization,
/// the next renewal that gets through makes it run again.
/// </remarks>
public sealed partial class OwnershipLease : IAsyncDisposable
{
    private readonly HeadStore _heads;
    private readonly HeadOwner _owner;
    private readonly ILogger _logger;
    private readonly LeaseTerm _term;
    private readonly HeadCheck _check;
    private readonly SemaphoreSlim _change = new(1, 1);
    private readonly TaskCompletionSource<HeadMovedException> _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile StoredHead _stored;
    private volatile bool _ending;

    private OwnershipLease(OrganizationId organization, HeadOwner owner, HeadStore heads, ILogger logger, LeaseStep.Done taken)
    {
        Organization = organization;
        Previous = taken.Previous;
        _owner = owner;
        _heads = heads;
        _logger = logger;
        _stored = taken.Stored;
        _term = new LeaseTerm(heads.Options);
        _check = new HeadCheck(LookAsync);
        _term.Extend(taken.SentAt);
        _renewAt = NextRenewal(taken.SentAt);
        // What runs from now on is nobody's request, though a request begins it.
        using (ExecutionContext.SuppressFlow()) _renewing = Task.Run(RenewAsync);
    }

    /// <summary>Whose database is owned.</summary>
    public OrganizationId Organization { get; }

    /// <summary>The head as the owner before left it; null for an organization that had none.</summary>
    public OrganizationHead? Previous { get; }

    /// <summary>This owner's epoch.</summary>
    public long Epoch => _stored.Head.Epoch;

    /// <summary>What to restore; null for an organization that has no rows yet.</summary>
    public ReplicaReference? Base => _stored.Head.Base;

    /// <summary>What was published; null before that.</summary>
    public ReplicaReference? Current => _stored.Head.Current;

    /// <summary>Whether the owner may write now: nobody took the organization, and by our own clock nobody else may yet.</summary>
    public bool IsRunning => !_ending && !_moved.Task.IsCompleted && _term.IsRunning(_heads.Now);

    /// <summary>For how long the owner may write without another renewal; zero when it may not.</summary>
    public TimeSpan Left => IsRunning && _term.Left(_heads.Now) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>Completes when the organization has another owner; then it never comes back to this one.</summary>
    public Task<HeadMovedException> Moved => _moved.Task;

    /// <summary>Takes the organization: one more epoch, in the state <see cref="HeadState.Acquiring"/>. It is renewed from now on.</summary>
    /// <param name="organization">The organization.</param>
    /// <param name="owner">Who takes it.</param>
    /// <param name="heads">Where heads are.</param>
    /// <param name="inspect">Looks at the replica beside the head before it is changed, and says what is to be restored.</param>
    /// <param name="drainOf">Tells dead owners whose lease still runs: null, or how long their Litestream may still upload.</param>
    /// <param name="logger">Category <c>Silo.Storage.Lock</c>.</param>
    /// <param name="cancellationToken">Gives up; the outcome is then unknown.</param>
    /// <exception cref="LeaseHeldException">The organization has a live owner.</exception>
    /// <exception cref="HeadException">The head or the replica cannot be trusted.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public static async Task<OwnershipLease> AcquireAsync(
        OrganizationId organization, HeadOwner owner, HeadStore heads, Func<OrganizationHead?, CancellationToken, Task<ReplicaReference?>> inspect,
        Func<OrganizationHead, TimeSpan?> drainOf, ILogger logger, CancellationToken cancellationToken)
    {
        var claim = new LeaseClaim(owner, heads.Options, drainOf, HeadStore.NewOperationId);
        try
        {
            var taken = await heads.TakeAsync(organization, claim, inspect, cancellationToken);
            heads.Metrics?.Taken(taken.Previous);
            return new OwnershipLease(organization, owner, heads, logger, taken);
        }
        catch (LeaseHeldException)
        {
            heads.Metrics?.Held();
            throw;
        }
    }

    /// <summary>Names the generation that holds this epoch's rows from now on.</summary>
    /// <exception cref="HeadMovedException">The organization has another owner.</exception>
    /// <exception cref="HeadException">The head cannot be understood.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached; the outcome is unknown, and it may be tried again.</exception>
    public Task PublishAsync(string generation, long highWater, int schemaVersion, CancellationToken cancellationToken) => ChangeAsync(
        known => LeaseUpdate.Publish(known, generation, highWater, schemaVersion, _heads.Options, HeadStore.NewOperationId), cancellationToken);

    /// <summary>Gives the organization back. The next owner restores what was published, or what this one was to restore.</summary>
    /// <param name="highWater">What the file's counter shows at the end; it is durable.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HeadMovedException">The organization has another owner.</exception>
    /// <exception cref="HeadException">The head cannot be understood.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached; the lease runs out by itself.</exception>
    public async Task ReleaseAsync(long highWater, CancellationToken cancellationToken)
    {
        _ending = true;
        await StopRenewingAsync();
        await ChangeAsync(known => LeaseUpdate.Release(known, highWater, _heads.Options, HeadStore.NewOperationId), cancellationToken);
    }

    /// <summary>
    /// Looks at the head: it is still ours. Callers that wait at the same time share one look, which began after each of them asked.
    /// </summary>
    /// <exception cref="HeadMovedException">The organization has another owner.</exception>
    /// <exception cref="HeadException">The head cannot be understood.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task VerifyAsync(CancellationToken cancellationToken)
    {
        ThrowIfMoved();
        await _check.RunAsync().WaitAsync(cancellationToken);
    }

    private async Task LookAsync()
    {
        // Given back it is still of our epoch: nobody has begun another one.
        var found = await _heads.ReadAsync(Organization, CancellationToken.None);
        if (found is not null && found.Head.Epoch == Epoch && found.Head.Owner == _owner) return;
        throw Lose(HeadMovedException.By(Organization, found?.Head));
    }

    private async Task ChangeAsync(Func<StoredHead, LeaseUpdate> change, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            ThrowIfMoved();
            var done = await _heads.ApplyAsync(Organization, change(_stored), cancellationToken);
            _stored = done.Stored;
            _term.Extend(done.SentAt);
            _renewAt = NextRenewal(done.SentAt);
        }
        catch (HeadMovedException e)
        {
            Lose(e);
            throw;
        }
        finally
        {
            _change.Release();
        }
    }

    private void ThrowIfMoved()
    {
        if (_moved.Task.IsCompletedSuccessfully) throw new HeadMovedException(Organization, "it has another owner");
    }

    private HeadMovedException Lose(HeadMovedException moved)
    {
        if (!_moved.TrySetResult(moved)) return moved;
        _heads.Metrics?.Moved();
        LogMoved(Organization, moved.Message);
        return moved;
    }
}
