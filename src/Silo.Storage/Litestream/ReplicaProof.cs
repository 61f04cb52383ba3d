using System.Globalization;
using K4os.Compression.LZ4.Streams;
using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Litestream;

/// <summary>
/// Reads what a restore is about to apply and proves that SQLite will apply all of it. A restore itself does not tell: SQLite
/// stops at the first frame that does not fit, and <c>litestream restore</c> then ends with code 0 and a shorter or a torn file.
/// </summary>
/// <param name="plan">What is applied.</param>
/// <param name="folder">The downloaded objects.</param>
internal sealed class ReplicaProof(RestorePlan plan, ReplicaFolder folder)
{
    // The stamp is in the first table of every file that was not the older system's.
    private const int StampBytes = 256 << 10;

    private static ReadOnlySpan<byte> FileMagic => "SQLite format 3\0"u8;

    private byte[] _buffer = new byte[WalChain.HeaderSize];

    /// <summary>Follows the WAL of the plan from the snapshot on. 30 pieces of a few rows take about a millisecond, 80 MB about 0.2 s.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ReplicaIncompleteException">Something is missing, damaged or foreign.</exception>
    public void FollowWal(CancellationToken cancellationToken)
    {
        var chain = new WalChain();
        ReplicaSegment? before = null;
        foreach (var segment in plan.Segments)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (before is not null && before.Index != segment.Index) EnsureEnded(before, chain);
            Follow(chain, segment, static (_, _) => { });
            before = segment;
        }
    }

    /// <summary>
    /// Checks that the snapshot has nothing of what was uploaded after the moment that is restored: the older pages of the WAL
    /// would be laid over younger ones, and the file be of no moment at all.
    /// </summary>
    /// <exception cref="ReplicaIncompleteException">It has.</exception>
    public void EnsureSnapshotIsNotAhead(CancellationToken cancellationToken)
    {
        if (plan.Later.Count == 0) return;
        using var pages = new FileStream(folder.PathOf("snapshot.db"), FileMode.Create, FileAccess.ReadWrite);
        Reading(plan.Snapshot.Object, content => content.CopyTo(pages));
        var chain = new WalChain();
        var page = Array.Empty<byte>();
        foreach (var segment in plan.Segments.Where(segment => segment.Index == plan.Snapshot.Index)) Follow(chain, segment, static (_, _) => { });
        foreach (var segment in plan.Later)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Follow(chain, segment, (number, later) =>
            {
                if (page.Length != later.Length) page = new byte[later.Length];
                pages.Position = (number - 1L) * page.Length;
                if (pages.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) < page.Length || !later.SequenceEqual(page)) return;
                throw Incomplete(plan.Snapshot.Object, string.Create(CultureInfo.InvariantCulture,
                    $"has pages of {segment.Object.Updated:O} already and cannot be the beginning of a state at {plan.StateAt:O}. Choose a moment after {plan.Later[^1].Object.Updated:O}, or before {plan.Generation.Began:O}"));
            });
        }
    }

    /// <summary>
    /// Checks that the snapshot, as far as its beginning can be read, is this organization's. After the restore it is too late: the
    /// page with the stamp is in the WAL too, with each mark of a flush.
    /// </summary>
    /// <exception cref="ReplicaIncompleteException">It is stamped with another organization.</exception>
    public void EnsureSnapshotIsOf(OrganizationId organization)
    {
        var file = folder.PathOf("beginning.db");
        using (var beginning = new FileStream(file, FileMode.Create, FileAccess.Write))
        {
            Reading(plan.Snapshot.Object, content =>
            {
                var bytes = new byte[StampBytes];
                var read = content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
                if (!bytes.AsSpan(0, read).StartsWith(FileMagic)) throw Incomplete(plan.Snapshot.Object, "is no database");
                beginning.Write(bytes, 0, read);
            });
        }
        if (OrgSchema.ReadStamp(file) is { } stamp && stamp != organization.Value)
            throw Incomplete(plan.Snapshot.Object, "is of another organization: look for objects that were copied between replica paths");
    }

    private void Follow(WalChain chain, ReplicaSegment segment, FrameVisitor visit)
    {
        if (segment.Offset != 0 && segment.Offset != chain.Length)
            throw Incomplete(segment.Object, string.Create(CultureInfo.InvariantCulture, $"does not continue the piece before it, which ends at {chain.Length:x8}: one between them is missing"));
        Reading(segment.Object, content =>
        {
            // Another WAL may be as long as the one before it.
            var before = segment.Offset == 0 ? 0 : chain.Length;
            if (segment.Offset == 0) chain.Begin(Next(content, WalChain.HeaderSize));
            var frameSize = WalChain.FrameHeaderSize + chain.PageSize;
            for (var frame = Next(content, frameSize); frame.Length > 0; frame = Next(content, frameSize))
                visit(chain.Append(frame), frame[WalChain.FrameHeaderSize..]);
            if (chain.Length == before) throw new WalChainException("it is empty");
        });
    }

    /// <summary>The next so many bytes; none at the end.</summary>
    private ReadOnlySpan<byte> Next(Stream content, int bytes)
    {
        if (_buffer.Length < bytes) _buffer = new byte[bytes];
        var read = content.ReadAtLeast(_buffer.AsSpan(0, bytes), bytes, throwOnEndOfStream: false);
        return read == bytes || read == 0 ? _buffer.AsSpan(0, read) : throw new WalChainException("it ends within a frame");
    }

    /// <summary>
    /// Checks a WAL that another one follows. The last one may end within a transaction: Litestream uploads pieces while it copies
    /// a large one, and a silo may die between two; SQLite drops what has no commit.
    /// </summary>
    private void EnsureEnded(ReplicaSegment last, WalChain chain)
    {
        var end = chain.Length;
        if (!chain.EndsWithCommit) throw Incomplete(last.Object, "ends within a transaction, and another WAL follows");
        // Pieces beyond the mark are no loss: their checksums say that they belong there.
        if (plan.Ends.TryGetValue(last.Index, out var expected) && expected > end)
            throw Incomplete(last.Object, string.Create(CultureInfo.InvariantCulture, $"is followed by nothing, and its WAL went on from {end:x8} to {expected:x8}"));
    }

    private void Reading(BucketObject item, Action<Stream> read)
    {
        try
        {
            using var content = LZ4Stream.Decode(File.OpenRead(folder.PathOf(item)));
            read(content);
        }
        catch (WalChainException e)
        {
            throw Incomplete(item, $"does not belong there: {e.Message}", e);
        }
        // What the decoder throws at bytes that are no LZ4.
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ArgumentException or InvalidOperationException)
        {
            throw Incomplete(item, $"is damaged ({e.Message})", e);
        }
    }

    private ReplicaIncompleteException Incomplete(BucketObject item, string what, Exception? cause = null) =>
        new(plan.Generation.Root, $"{item.Name[plan.Generation.Root.Length..]} {what}", cause);

    private delegate void FrameVisitor(int page, ReadOnlySpan<byte> content);
}
