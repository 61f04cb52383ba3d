using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>
/// Puts a mark beside the replica at the end of each WAL, once the next one has begun there: a checkpoint of
/// <see cref="LitestreamOptions.CheckpointPages"/> costs one empty object. Not thread-safe.
/// </summary>
/// <remarks>
/// Litestream uploads in order, so the first piece of a WAL says that the one before is whole. A mark that is missing (the silo
/// died first) proves nothing; one beyond the pieces proves a loss.
/// </remarks>
internal sealed partial class WalEnds(BucketClient bucket, OrganizationId organization, string prefix, ILogger logger)
{
    private ReplicaPosition _end;
    private Task _marking = Task.CompletedTask;

    /// <summary>Takes note of a piece that the bucket has.</summary>
    /// <param name="begin">Where it begins.</param>
    /// <param name="bytes">Bytes of WAL in it.</param>
    /// <param name="cancellationToken">Gives a mark up.</param>
    public void Uploaded(ReplicaPosition begin, long bytes, CancellationToken cancellationToken)
    {
        if (begin.Generation == _end.Generation && begin.Index == _end.Index + 1) _marking = MarkAsync(_marking, _end, cancellationToken);
        _end = begin with { Offset = begin.Offset + bytes };
    }

    /// <summary>
    /// An upload failed, or its answer was lost: then the bucket may have a piece that no line of the log tells of, and where the WAL ends
    /// there is not known before its next piece.
    /// </summary>
    public void UploadFailed() => _end = default;

    /// <summary>Waits for the marks under way.</summary>
    public Task StopAsync() => _marking;

    private async Task MarkAsync(Task before, ReplicaPosition end, CancellationToken cancellationToken)
    {
        await before;
        try
        {
            await bucket.UploadAsync(GenerationInventory.EndName(prefix, end), ReadOnlyMemory<byte>.Empty, "application/octet-stream", ifGenerationMatch: null, cancellationToken);
        }
        catch (Exception e) when (e is BucketException or OperationCanceledException)
        {
            LogNotMarked(organization, end, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the end of a WAL at {End} is not marked in the bucket; a loss of its last pieces there would not be noticed: {Problem}")]
    private partial void LogNotMarked(OrganizationId organization, ReplicaPosition end, string problem);
}
