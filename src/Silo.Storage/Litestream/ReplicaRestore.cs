using Silo.Contracts;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>
/// Brings a state back from the bucket: reads the names of what there is, fetches what is needed side by side, and lets Litestream
/// make the file while the same pieces are proven.
/// </summary>
/// <remarks>
/// Litestream could read the bucket itself, piece after piece. Fetched here, a restore takes exactly the objects that were
/// checked, as many at once as the bucket gives, and Litestream decides nothing: not the generation, not the moment.
/// </remarks>
/// <param name="bucket">The bucket.</param>
/// <param name="litestream">Makes the file.</param>
internal sealed class ReplicaRestore(BucketClient bucket, LitestreamRestore litestream)
{
    /// <summary>Restores the end of a generation.</summary>
    /// <param name="organization">Whose replica it must be.</param>
    /// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
    /// <param name="replica">The generation.</param>
    /// <param name="file">A file that does not exist yet; its folder does.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ReplicaIncompleteException">The replica is not whole; the file is worth nothing.</exception>
    /// <exception cref="LitestreamException">Litestream could not make the file.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task RunAsync(OrganizationId organization, string replicaPath, ReplicaReference replica, string file, CancellationToken cancellationToken) =>
        await RunAsync(organization, await new ReplicaInventory(bucket).ReadNewestAsync(replicaPath, replica, cancellationToken), file, cancellationToken);

    /// <summary>Restores what a plan says; otherwise as above.</summary>
    public async Task RunAsync(OrganizationId organization, RestorePlan plan, string file, CancellationToken cancellationToken)
    {
        using var folder = new ReplicaFolder(file + "-replica", plan);
        await folder.FillAsync(bucket, cancellationToken);
        var proof = new ReplicaProof(plan, folder);
        var proven = Task.Run(
            () =>
            {
                proof.EnsureSnapshotIsOf(organization);
                proof.FollowWal(cancellationToken);
                proof.EnsureSnapshotIsNotAhead(cancellationToken);
            }, cancellationToken);
        var made = litestream.RunAsync(folder.Path, plan.Generation.Generation, file, cancellationToken);
        await Task.WhenAll(proven, made).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // What the proof says is more exact than what Litestream does.
        await proven;
        await made;
    }
}
