using Silo.Contracts;

namespace Silo.Storage.Gcs;

/// <summary>
/// This activation's ownership of an organization, as the head in the bucket says it: taken with a new epoch, published with
/// the generation that this epoch replicates into, and given back.
/// </summary>
/// <remarks>Thread-safe. It has no time limit yet: until leases expire, one cluster at a time may use a bucket.</remarks>
public sealed class OwnershipLease
{
    private readonly HeadStore _heads;
    private readonly SemaphoreSlim _change = new(1, 1);
    private StoredHead _stored;

    private OwnershipLease(OrganizationId organization, HeadStore heads, StoredHead stored, OrganizationHead? previous)
    {
        Organization = organization;
        _heads = heads;
        _stored = stored;
        Previous = previous;
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

    /// <summary>Takes the organization: one more epoch, in the state <see cref="HeadState.Acquiring"/>.</summary>
    /// <param name="organization">The organization.</param>
    /// <param name="owner">Who takes it.</param>
    /// <param name="heads">Where heads are.</param>
    /// <param name="findBase">Asked when no head says what to restore.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HeadMovedException">Another owner took it at the same time.</exception>
    /// <exception cref="HeadException">The head or the replica cannot be trusted.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public static async Task<OwnershipLease> AcquireAsync(
        OrganizationId organization, HeadOwner owner, HeadStore heads, UnpublishedReplica findBase, CancellationToken cancellationToken)
    {
        var found = await heads.ReadAsync(organization, cancellationToken);
        var next = new OrganizationHead
        {
            Epoch = (found?.Head.Epoch ?? 0) + 1,
            State = HeadState.Acquiring,
            Owner = owner,
            OperationId = NewOperationId(),
            Base = found?.Head.Truth ?? await findBase.FindAsync(organization, found?.Head, cancellationToken),
            SchemaVersion = found?.Head.SchemaVersion ?? 0,
        };
        var stored = await heads.WriteAsync(organization, next, found?.ObjectGeneration ?? 0, cancellationToken);
        return new OwnershipLease(organization, heads, stored, found?.Head);
    }

    /// <summary>Names the generation that holds this epoch's rows from now on.</summary>
    /// <exception cref="HeadMovedException">The organization has another owner.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public Task PublishAsync(string generation, long highWater, int schemaVersion, CancellationToken cancellationToken) => ChangeAsync(
        head => head with { State = HeadState.Active, Current = new ReplicaReference(head.Epoch, generation, highWater), SchemaVersion = schemaVersion },
        cancellationToken);

    /// <summary>Gives the organization back. The next owner restores what was published, or what this one was to restore.</summary>
    /// <param name="highWater">What the file's counter shows at the end; it is durable.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HeadMovedException">The organization has another owner.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public Task ReleaseAsync(long highWater, CancellationToken cancellationToken) => ChangeAsync(
        head => head with { State = HeadState.Released, Current = head.Current is { } current ? current with { HighWater = highWater } : null },
        cancellationToken);

    private static string NewOperationId() => Guid.NewGuid().ToString("n");

    private async Task ChangeAsync(Func<OrganizationHead, OrganizationHead> change, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            try
            {
                await WriteAsync(change, cancellationToken);
            }
            catch (HeadMovedException)
            {
                // An epoch has one owner. A head of our epoch and owner is an earlier write of ours whose answer was lost for good.
                var found = await _heads.ReadAsync(Organization, cancellationToken);
                if (found is null || found.Head.Epoch != Epoch || found.Head.Owner != _stored.Head.Owner) throw;
                _stored = found;
                await WriteAsync(change, cancellationToken);
            }
        }
        finally
        {
            _change.Release();
        }
    }

    private async Task WriteAsync(Func<OrganizationHead, OrganizationHead> change, CancellationToken cancellationToken)
    {
        var next = change(_stored.Head) with { OperationId = NewOperationId() };
        _stored = await _heads.WriteAsync(Organization, next, _stored.ObjectGeneration, cancellationToken);
    }
}
