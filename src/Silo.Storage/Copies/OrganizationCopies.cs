using K4os.Compression.LZ4.Streams;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Copies;

/// <summary>
/// Makes organizations of what others were at a moment. Of the other one only the bucket is read; neither its head nor its replica nor its
/// open database is touched.
/// </summary>
/// <remarks>
/// There is one step that counts: the row in the catalog. Before it there is one object, at a place where nobody looks
/// (<see cref="CopyPath"/>); after it there is an organization whose first opening finds that object, proves it, and writes a head of its own.
/// What a crash leaves is made again by the same request, or deleted by <see cref="SweepAsync"/>.
/// </remarks>
public sealed partial class OrganizationCopies(OrgDatabaseOpening opening, BucketClient bucket, HeadStore heads, OrganizationCatalog catalog, ILoggerFactory loggers)
{
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = loggers.CreateLogger("Silo.Storage.Replication");

    /// <summary>Makes one, or only finds, proves and counts what it would have.</summary>
    /// <param name="source">The row of the organization that is copied.</param>
    /// <param name="at">The moment, by the bucket's clock.</param>
    /// <param name="target">The new id, and its name; of everything else it has what the source has.</param>
    /// <param name="dryRun">Changes nothing.</param>
    /// <param name="cancellationToken">Gives up. What was begun is made again by the same request.</param>
    /// <returns>What it has; <see langword="null"/> when the same request has made it before.</returns>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.OrganizationExists"/>: the id is taken. <see cref="OrganizationErrorCode.RestorePointNotFound"/>: there is
    /// no state so old. <see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the bucket cannot be reached, the state cannot be proven, or the
    /// disk refuses. <see cref="OrganizationErrorCode.ValidationFailed"/>: the name breaks its rules.
    /// </exception>
    /// <exception cref="CatalogException">The catalog cannot be used.</exception>
    public async Task<CopiedState?> MakeAsync(
        Organization source, DateTimeOffset at, NewOrganization target, bool dryRun, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        NewOrganizationRules.Check(target);
        var path = CopyPath.Of(source.Id, at, target.Id);
        if (await catalog.FindAsync(target.Id, cancellationToken) is { } found) return found.GcsReplicaPath == path ? null : throw Exists(target.Id);
        try
        {
            await EnsureUnknownAsync(target.Id, cancellationToken);
            await using var past = await opening.BringBackAsync(source, at, cancellationToken);
            var state = new CopiedState(past.Epoch, past.Generation, past.StateAt, past.Contacts);
            if (dryRun) return state;
            await SendAsync(past, source.Id, target.Id, path, cancellationToken);
            await AddAsync(target, path, cancellationToken);
            LogMade(target.Id, source.Id, past.StateAt, past.Generation, past.Epoch);
            return state;
        }
        catch (BucketException e)
        {
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, e.Message, e) { RetryAfter = TryAgain };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SqliteException { SqliteErrorCode: OrgDatabase.DiskFull or OrgDatabase.InputOutput })
        {
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The silo's disk refused the copy. Nothing was changed; try again.", e) { RetryAfter = TryAgain };
        }
    }

    /// <summary>Deletes what requests left that came to nothing and were not made again for a while.</summary>
    /// <param name="retention">That while.</param>
    /// <param name="now">By the bucket's clock, about.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many objects were deleted.</returns>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    /// <exception cref="CatalogException">The catalog cannot be used.</exception>
    public async Task<int> SweepAsync(TimeSpan retention, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var deleted = 0;
        await foreach (var folder in bucket.ListPrefixesAsync(CopyPath.Root, cancellationToken))
        {
            await foreach (var place in bucket.ListPrefixesAsync(folder, cancellationToken))
            {
                var path = place.TrimEnd('/');
                if (!CopyPath.TryParse(path, out var target) || await catalog.FindAsync(target, cancellationToken) is { } row && row.GcsReplicaPath == path) continue;
                if (await HasOwnerAsync(target, path, cancellationToken)) continue;
                if (await bucket.GetAsync(CopyPath.SnapshotOf(path), cancellationToken) is { } left && now - left.Updated >= retention && await DropAsync(left, cancellationToken)) deleted++;
            }
        }
        if (deleted > 0) LogSwept(deleted);
        return deleted;
    }

    /// <summary>Whether it is an organization all the same, of another cluster, whose catalog is not known here: somebody has opened it.</summary>
    private async Task<bool> HasOwnerAsync(OrganizationId target, string path, CancellationToken cancellationToken)
    {
        if ((await EpochPrefixes.ListAsync(bucket, path, cancellationToken)).Epochs.Count > 0) return true;
        try
        {
            return (await heads.ReadAsync(target, cancellationToken))?.Head.Truth is { Epoch: 0 } truth && truth.Generation == CopyPath.GenerationOf(path);
        }
        catch (HeadException)
        {
            return true; // nobody can tell
        }
    }

    /// <summary>A catalog that was put back, or another one for the same bucket, may know nothing of an organization that has a head or rows.</summary>
    private async Task EnsureUnknownAsync(OrganizationId target, CancellationToken cancellationToken)
    {
        if (await bucket.GetAsync(OrganizationHead.ObjectName(target), cancellationToken) is not null || await bucket.ExistsAnyAsync($"{OrganizationCatalog.ReplicaPathOf(target)}/", cancellationToken))
            throw new OrganizationException(OrganizationErrorCode.OrganizationExists, $"The catalog has no organization {target}, but the bucket has objects of one. Choose another id.");
    }

    private async Task SendAsync(PastState past, OrganizationId source, OrganizationId target, string path, CancellationToken cancellationToken)
    {
        var compressed = Path.Combine(past.Chosen.Files.Folder, "snapshot.lz4");
        var isWritten = await BackgroundThread.RunAsync(() => TryCompress(past, source, target, compressed, cancellationToken));
        if (!isWritten) throw new OperationCanceledException(cancellationToken);
        await using var content = new FileStream(compressed, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous | FileOptions.SequentialScan);
        await bucket.UploadAsync(CopyPath.SnapshotOf(path), content, "application/octet-stream", cancellationToken);
    }

    private static bool TryCompress(PastState past, OrganizationId source, OrganizationId target, string compressed, CancellationToken cancellationToken)
    {
        var rows = Path.Combine(past.Chosen.Files.Folder, "copy.db");
        if (!DatabaseCopy.TryWrite(past.Chosen.Files.Database, rows, () => cancellationToken.IsCancellationRequested)) return false;
        using (var connection = OrgConnection.OpenScratch(rows)) OrgSchema.Restamp(connection, source, target);
        using var file = File.OpenRead(rows);
        // Whoever restores it finds out from the checksum whether it is damaged.
        using var frame = LZ4Stream.Encode(File.Create(compressed), new LZ4EncoderSettings { ContentChecksum = true });
        file.CopyTo(frame);
        return true;
    }

    private async Task AddAsync(NewOrganization target, string path, CancellationToken cancellationToken)
    {
        try
        {
            await catalog.AddAsync(target, path, cancellationToken);
        }
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.OrganizationExists)
        {
            // The same request, at the same moment elsewhere, is this one; otherwise somebody else was quicker.
            if (await catalog.FindAsync(target.Id, cancellationToken) is { } found && found.GcsReplicaPath == path) return;
            await bucket.DeleteAsync(CopyPath.SnapshotOf(path), ifGenerationMatch: null, cancellationToken);
            throw;
        }
    }

    private async Task<bool> DropAsync(BucketObject left, CancellationToken cancellationToken)
    {
        try
        {
            return await bucket.DeleteAsync(left.Name, left.Generation, cancellationToken);
        }
        catch (BucketPreconditionException)
        {
            return false; // the same request was made again
        }
    }

    private static OrganizationException Exists(OrganizationId target) => new(OrganizationErrorCode.OrganizationExists, $"There is an organization {target} already.");

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: made of what {Source} was at {StateAt:O}, from generation {Generation} of epoch {Epoch}")]
    private partial void LogMade(OrganizationId organization, OrganizationId source, DateTimeOffset stateAt, string generation, long epoch);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} snapshots of copies that came to nothing are deleted")]
    private partial void LogSwept(int count);
}

/// <summary>What a copy has.</summary>
/// <param name="Epoch">The epoch of the source that it was made from.</param>
/// <param name="Generation">The generation that it was made from.</param>
/// <param name="StateAt">When the last object that went into it was written, by the bucket's clock.</param>
/// <param name="Contacts">How many contacts it has.</param>
public sealed record CopiedState(long Epoch, string Generation, DateTimeOffset StateAt, long Contacts);
