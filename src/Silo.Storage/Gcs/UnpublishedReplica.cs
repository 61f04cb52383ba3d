using System.Globalization;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Copies;
using Silo.Storage.Litestream;

namespace Silo.Storage.Gcs;

/// <summary>
/// Decides what to restore when no head says it: nothing for a new organization, the older system's replica, or what a first
/// owner uploaded and did not live to publish. Anything else is refused: an organization with objects is never opened as new.
/// </summary>
/// <param name="bucket">The bucket.</param>
/// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
/// <param name="logger">Category <c>Silo.Storage.Replication</c>.</param>
public sealed partial class UnpublishedReplica(BucketClient bucket, string replicaPath, ILogger logger)
{
    private const string EpochFolder = "epoch-";

    /// <summary>Looks for a replica.</summary>
    /// <exception cref="HeadException">There are objects that no rule explains.</exception>
    public async Task<ReplicaReference?> FindAsync(OrganizationId organization, OrganizationHead? head, CancellationToken cancellationToken)
    {
        var folders = new List<string>();
        await foreach (var prefix in bucket.ListPrefixesAsync($"{replicaPath}/", cancellationToken)) folders.Add(prefix[(replicaPath.Length + 1)..].TrimEnd('/'));
        if (folders.Count == 0)
        {
            return head is null && CopyPath.IsOne(replicaPath)
                ? throw new HeadException(organization, $"it was made as a copy, and {CopyPath.SnapshotOf(replicaPath)} is missing. Restore that object.")
                : null;
        }

        if (head is null)
        {
            if (folders.Exists(folder => folder.StartsWith(EpochFolder, StringComparison.Ordinal)))
                throw new HeadException(organization, $"the replica has epochs under {replicaPath}/, but {OrganizationHead.ObjectName(organization)} is missing. Restore that object.");
            return await NewestAsync(organization, epoch: 0, cancellationToken)
                ?? throw new HeadException(organization, $"there are objects under {replicaPath}/, but no whole generation.");
        }

        // No owner has published yet, so all that is known of this organization is what its owners were about to publish.
        foreach (var epoch in Epochs(folders).Where(epoch => epoch <= head.Epoch).OrderDescending())
        {
            if (await NewestAsync(organization, epoch, cancellationToken) is { } found) return found;
        }
        return null;
    }

    private static IEnumerable<long> Epochs(IEnumerable<string> folders)
    {
        foreach (var folder in folders)
        {
            if (folder.StartsWith(EpochFolder, StringComparison.Ordinal) && long.TryParse(folder.AsSpan(EpochFolder.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch))
                yield return epoch;
        }
    }

    private async Task<ReplicaReference?> NewestAsync(OrganizationId organization, long epoch, CancellationToken cancellationToken)
    {
        var prefix = $"{ReplicaReference.PrefixOf(replicaPath, epoch)}/generations/";
        var snapshots = new Dictionary<string, DateTimeOffset>();
        var withWal = new HashSet<string>();
        await foreach (var found in bucket.ListAsync(prefix, cancellationToken: cancellationToken))
        {
            var parts = found.Name[prefix.Length..].Split('/');
            if (parts is not [var generation, var kind, ..] || !ReplicaPosition.IsGeneration(generation)) continue;
            if (kind == "wal") withWal.Add(generation);
            else if (kind == "snapshots" && parts.Length == 3 && found.Updated > snapshots.GetValueOrDefault(generation)) snapshots[generation] = found.Updated;
        }
        // A snapshot is the file without its WAL, and nobody publishes it before that has come, nor can it be restored. The older system did.
        if (snapshots.Keys.Where(generation => epoch == 0 || withWal.Contains(generation)).MaxBy(generation => snapshots[generation]) is not { } newest) return null;
        LogAdopted(organization, epoch, newest);
        return new ReplicaReference(epoch, newest, 0);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: no head names a replica; generation {Generation} of epoch {Epoch} is adopted")]
    private partial void LogAdopted(OrganizationId organization, long epoch, string generation);
}
