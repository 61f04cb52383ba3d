using System.Text.Json;
using Silo.Contracts;

namespace Silo.Storage.Gcs;

/// <summary>A head together with the object generation that a change of it must name.</summary>
/// <param name="Head">The document.</param>
/// <param name="ObjectGeneration">The object's generation in the bucket.</param>
public sealed record StoredHead(OrganizationHead Head, long ObjectGeneration);

/// <summary>Reads and writes <see cref="OrganizationHead"/> by compare-and-set.</summary>
/// <param name="bucket">The bucket.</param>
/// <param name="time">The clock.</param>
public sealed class HeadStore(BucketClient bucket, TimeProvider time)
{
    private const int MaxAttempts = 4;

    /// <summary>GCS allows about one change a second per object name.</summary>
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>The head as it is; null when the organization never had one.</summary>
    /// <exception cref="HeadException">There is an object, but it is no head that this program understands.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task<StoredHead?> ReadAsync(OrganizationId organization, CancellationToken cancellationToken)
    {
        var name = OrganizationHead.ObjectName(organization);
        if (await bucket.DownloadAsync(name, cancellationToken) is not { } content) return null;
        try
        {
            var head = JsonSerializer.Deserialize(content.Bytes, OrganizationHeadJson.Default.OrganizationHead)
                ?? throw new HeadException(organization, $"{name} is empty.");
            return head.Version == OrganizationHead.CurrentVersion
                ? new StoredHead(head, content.Object.Generation)
                : throw new HeadException(organization, $"{name} is of version {head.Version}, and this program knows {OrganizationHead.CurrentVersion}. Upgrade this silo.");
        }
        catch (JsonException e)
        {
            throw new HeadException(organization, $"{name} is damaged ({e.Message}). Restore an older version of the object.", e);
        }
    }

    /// <summary>
    /// Replaces the head. An answer that was lost, or a refusal that comes from our own earlier try, is told from a real one
    /// by reading the head and comparing its <see cref="OrganizationHead.OperationId"/>.
    /// </summary>
    /// <param name="organization">Whose head.</param>
    /// <param name="next">The new head, with an operation id of its own.</param>
    /// <param name="expected">The object's generation now; 0 when there is none.</param>
    /// <param name="cancellationToken">Gives up; the outcome is then unknown.</param>
    /// <exception cref="HeadMovedException">Somebody else wrote it.</exception>
    /// <exception cref="BucketException">The bucket did not answer clearly within the attempts; the outcome is unknown.</exception>
    public async Task<StoredHead> WriteAsync(OrganizationId organization, OrganizationHead next, long expected, CancellationToken cancellationToken)
    {
        var name = OrganizationHead.ObjectName(organization);
        var bytes = JsonSerializer.SerializeToUtf8Bytes(next, OrganizationHeadJson.Default.OrganizationHead);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var written = await bucket.UploadAsync(name, bytes, "application/json", expected, cancellationToken);
                return new StoredHead(next, written.Generation);
            }
            catch (BucketPreconditionException)
            {
                // Not ours after all, or ours and the answer was lost: only the head itself can tell.
                var found = await ReadAsync(organization, cancellationToken);
                if (found?.Head.OperationId == next.OperationId) return found;
                throw new HeadMovedException(organization, next.Epoch);
            }
            catch (BucketException e) when (e.IsTransient)
            {
                var found = await ReadAsync(organization, cancellationToken);
                if (found?.Head.OperationId == next.OperationId) return found;
                if ((found?.ObjectGeneration ?? 0) != expected) throw new HeadMovedException(organization, next.Epoch);
                if (attempt == MaxAttempts) throw;
                await Task.Delay(RetryDelay, time, cancellationToken);
            }
        }
    }
}
