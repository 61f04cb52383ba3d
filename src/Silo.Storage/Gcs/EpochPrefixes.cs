using System.Globalization;
using Silo.Contracts;

namespace Silo.Storage.Gcs;

/// <summary>The epochs that have objects under an organization's replica path.</summary>
/// <param name="Epochs">The epochs, oldest first.</param>
public sealed record EpochPrefixes(IReadOnlyList<long> Epochs)
{
    private const string Folder = "epoch-";

    /// <summary>Lists them: one request for a thousand.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public static async Task<EpochPrefixes> ListAsync(BucketClient bucket, string replicaPath, CancellationToken cancellationToken)
    {
        var epochs = new List<long>();
        await foreach (var prefix in bucket.ListPrefixesAsync($"{replicaPath}/", cancellationToken))
        {
            if (TryParse(prefix.AsSpan(replicaPath.Length + 1).TrimEnd('/'), out var epoch)) epochs.Add(epoch);
        }
        epochs.Sort();
        return new EpochPrefixes(epochs);
    }

    /// <summary>
    /// Epochs begin with a write of the head, so a replica of a later one than the head's means that the head was put back, and that
    /// it names a replica that is not the last.
    /// </summary>
    /// <exception cref="HeadException">The head is older than the replica.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task EnsureNoneIsAfterAsync(OrganizationHead head, OrganizationId organization, HeadStore heads, CancellationToken cancellationToken)
    {
        if (Epochs is not [.., var newest] || newest <= head.Epoch) return;
        // Unless the head was read before that epoch began, and the names afterwards.
        if (await heads.ReadAsync(organization, cancellationToken) is { } now && now.Head.Epoch != head.Epoch) return;
        throw new HeadException(
            organization,
            $"the replica has epoch {newest}, but {OrganizationHead.ObjectName(organization)} is of epoch {head.Epoch}: it was put back. Restore the newest version of that object.");
    }

    private static bool TryParse(ReadOnlySpan<char> folder, out long epoch)
    {
        epoch = 0;
        return folder.StartsWith(Folder, StringComparison.Ordinal) && long.TryParse(folder[Folder.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out epoch);
    }
}
