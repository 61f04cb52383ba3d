using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Lease;

namespace Silo.Storage.Gcs;

/// <summary>A head together with the object generation that a change of it must name.</summary>
/// <param name="Head">The document.</param>
/// <param name="ObjectGeneration">The object's generation in the bucket.</param>
/// <param name="Age">How old it was at least when it was read, by the bucket's clock.</param>
public sealed record StoredHead(OrganizationHead Head, long ObjectGeneration, TimeSpan Age = default);

/// <summary>Reads heads, and carries out what a <see cref="HeadChange"/> decides; it decides nothing about leases itself.</summary>
/// <param name="bucket">The bucket.</param>
/// <param name="time">The clock.</param>
/// <param name="options">How long leases run; the defaults when left out.</param>
/// <param name="meters">Makes what counts leases; nobody does when left out.</param>
public sealed class HeadStore(BucketClient bucket, TimeProvider time, IOptions<LeaseOptions>? options = null, IMeterFactory? meters = null)
{
    private readonly long _origin = time.GetTimestamp();

    /// <summary>How long leases run.</summary>
    internal LeaseOptions Options { get; } = options?.Value ?? new LeaseOptions();

    /// <summary>Counts what happens to leases; null when nobody does.</summary>
    internal LeaseMetrics? Metrics { get; } = meters is null ? null : new LeaseMetrics(meters);

    /// <summary>The clock.</summary>
    internal TimeProvider Time => time;

    /// <summary>The monotonic clock that leases are measured with.</summary>
    internal TimeSpan Now => time.GetElapsedTime(_origin);

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
                ? new StoredHead(head, content.Object.Generation, HeadAge.AtLeast(content.ServerTime, content.Object.Updated))
                : throw new HeadException(organization, $"{name} is of version {head.Version}, and this program knows {OrganizationHead.CurrentVersion}. Upgrade this silo.");
        }
        catch (JsonException e)
        {
            throw new HeadException(organization, $"{name} is damaged ({e.Message}). Restore an older version of the object.", e);
        }
    }

    /// <summary>A page of all leases, from the heads' metadata: one request, however many they are.</summary>
    /// <param name="cursor"><see cref="LeasePage.NextCursor"/> of the page before; null for the first.</param>
    /// <param name="limit">How many at most, 1 to 1,000. There may be fewer although more follow.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HeadException">A head without metadata cannot be read.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task<LeasePage> ListAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var page = await bucket.ListPageAsync(OrganizationHead.Folder, cursor, limit, cancellationToken);
        var entries = new List<LeaseEntry>(page.Objects.Count);
        foreach (var found in page.Objects)
        {
            if (!OrganizationHead.TryParseObjectName(found.Name, out var organization)) continue;
            if (HeadMetadata.Read(organization, found, page.ServerTime) is { } entry)
            {
                entries.Add(entry);
            }
            else if (await ReadAsync(organization, cancellationToken) is { } stored)
            {
                // A head of before heads had metadata.
                entries.Add(HeadMetadata.Describe(organization, stored, found.Updated, page.ServerTime));
            }
        }
        return new LeasePage(entries, page.NextToken);
    }

    /// <summary>Gives back the lease of a dead owner that has run out. Epoch, base and current stay as they are.</summary>
    /// <exception cref="LeaseHeldException">It runs.</exception>
    /// <exception cref="HeadMovedException">There is no head.</exception>
    /// <exception cref="HeadException">It cannot be understood.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached; the outcome is unknown.</exception>
    public Task ReleaseExpiredAsync(OrganizationId organization, CancellationToken cancellationToken) =>
        ApplyAsync(organization, new ExpiredLeaseRelease(Options, NewOperationId), cancellationToken);

    /// <summary>Carries out a change of a head that we own, or of one that nobody does.</summary>
    /// <exception cref="LeaseHeldException">The organization has a live owner.</exception>
    /// <exception cref="HeadMovedException">Somebody else wrote the head.</exception>
    /// <exception cref="HeadException">The head cannot be understood.</exception>
    /// <exception cref="BucketException">The bucket did not answer clearly; the outcome is unknown.</exception>
    internal Task<LeaseStep.Done> ApplyAsync(OrganizationId organization, HeadChange change, CancellationToken cancellationToken) =>
        RunAsync(organization, change, (asked, _) => throw new InvalidOperationException($"Only a claim asks for {asked}."), cancellationToken);

    /// <summary>Carries out a claim.</summary>
    /// <param name="organization">The organization.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="inspect">Looks at the replica beside a head, and says what is to be restored.</param>
    /// <param name="cancellationToken">Gives up; the outcome is then unknown.</param>
    /// <inheritdoc cref="ApplyAsync" path="/exception"/>
    internal Task<LeaseStep.Done> TakeAsync(
        OrganizationId organization, LeaseClaim claim, Func<OrganizationHead?, CancellationToken, Task<ReplicaReference?>> inspect, CancellationToken cancellationToken) =>
        RunAsync(organization, claim, async (asked, token) => claim.Inspected(await inspect(asked.Head, token), Now), cancellationToken);

    /// <summary>Makes a name for one write.</summary>
    internal static string NewOperationId() => Guid.NewGuid().ToString("n");

    private async Task<LeaseStep.Done> RunAsync(
        OrganizationId organization, HeadChange change, Func<LeaseStep.Inspect, CancellationToken, Task<LeaseStep>> inspect, CancellationToken cancellationToken)
    {
        Exception? last = null;
        for (var step = change.Begin(Now); ;)
        {
            switch (step)
            {
                case LeaseStep.Read:
                    var found = await ReadAsync(organization, cancellationToken);
                    step = change.Found(found, Now);
                    break;
                case LeaseStep.Inspect asked:
                    step = await inspect(asked, cancellationToken);
                    break;
                case LeaseStep.Write write:
                    try
                    {
                        step = change.Written(await WriteAsync(organization, write, cancellationToken));
                    }
                    catch (Exception e) when (e is BucketPreconditionException or BucketException { IsTransient: true })
                    {
                        last = e;
                        step = HeadChange.Unclear();
                    }
                    break;
                case LeaseStep.Wait wait:
                    await Task.Delay(wait.Time, time, cancellationToken);
                    step = HeadChange.Waited();
                    break;
                case LeaseStep.Done done:
                    return done;
                case LeaseStep.Held held:
                    throw new LeaseHeldException(organization, held.Owner, held.Left);
                case LeaseStep.Moved moved:
                    throw HeadMovedException.By(organization, moved.Found);
                default:
                    throw BucketException.Unanswered($"change {OrganizationHead.ObjectName(organization)}", last?.Message ?? "", last);
            }
        }
    }

    private async Task<long> WriteAsync(OrganizationId organization, LeaseStep.Write write, CancellationToken cancellationToken)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(write.Head, OrganizationHeadJson.Default.OrganizationHead);
        var written = await bucket.UploadAsync(
            OrganizationHead.ObjectName(organization), bytes, "application/json", write.IfGeneration, HeadMetadata.Of(write.Head), cancellationToken);
        return written.Generation;
    }
}
