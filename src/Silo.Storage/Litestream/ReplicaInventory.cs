using System.Globalization;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>Reads the names of what the bucket has of a replica. <c>litestream restore</c> takes what it finds; this tells what is not there.</summary>
/// <param name="bucket">The bucket.</param>
public sealed class ReplicaInventory(BucketClient bucket)
{
    private const int PageSize = 1_000;

    /// <summary>
    /// What a restore of the end of one generation takes; with one request, unless there are more objects than a page holds. Of a generation
    /// that was written for days there may be hundreds of thousands: then only those from its newest snapshot on are looked at.
    /// </summary>
    /// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
    /// <param name="replica">The generation.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ReplicaIncompleteException">Objects are missing, as far as names can tell.</exception>
    public async Task<RestorePlan> ReadNewestAsync(string replicaPath, ReplicaReference replica, CancellationToken cancellationToken)
    {
        var found = new GenerationInventory(replicaPath, replica.Epoch, replica.Generation);
        var page = await bucket.ListPageAsync(found.Root, token: null, PageSize, cancellationToken);
        if (page.NextToken is null)
        {
            foreach (var item in page.Objects) found.Add(item);
            return found.Newest();
        }
        await foreach (var item in bucket.ListAsync(found.SnapshotRoot, cancellationToken: cancellationToken)) found.Add(item);
        if (found.NewestSnapshot is { } newest)
        {
            foreach (var (root, start) in found.RootsFrom(newest))
                await foreach (var item in bucket.ListAsync(root, start, cancellationToken)) found.Add(item);
        }
        // A snapshot may be the last that was written, and then older pieces say that the generation is a whole one.
        if (found.Began is null) await AddFirstSegmentAsync(found, cancellationToken);
        return found.Newest();
    }

    /// <summary>When an epoch began, as <see cref="GenerationInventory.Began"/>; null when nothing of it can be restored. With a few requests, however many objects it has.</summary>
    /// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
    /// <param name="epoch">The epoch, above 0.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<DateTimeOffset?> BeganAsync(string replicaPath, long epoch, CancellationToken cancellationToken)
    {
        DateTimeOffset? began = null;
        var root = $"{ReplicaReference.PrefixOf(replicaPath, epoch)}/generations/";
        await foreach (var folder in bucket.ListPrefixesAsync(root, cancellationToken))
        {
            if (!ReplicaPosition.IsGeneration(folder[root.Length..^1])) continue;
            var found = new GenerationInventory(replicaPath, epoch, folder[root.Length..^1]);
            await foreach (var item in bucket.ListAsync(found.SnapshotRoot, cancellationToken: cancellationToken)) found.Add(item);
            await AddFirstSegmentAsync(found, cancellationToken);
            if (found.Began < (began ?? DateTimeOffset.MaxValue)) began = found.Began;
        }
        return began;
    }

    /// <summary>Takes note of the first by name, which is the first by time.</summary>
    private async Task AddFirstSegmentAsync(GenerationInventory found, CancellationToken cancellationToken)
    {
        await foreach (var item in bucket.ListAsync(found.SegmentRoot, cancellationToken: cancellationToken))
        {
            found.Add(item);
            break;
        }
    }

    /// <summary>What the bucket has of every generation of an epoch, in no order.</summary>
    /// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
    /// <param name="epoch">The epoch; 0 for what the older system made.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyCollection<GenerationInventory>> ReadAllAsync(string replicaPath, long epoch, CancellationToken cancellationToken)
    {
        var root = $"{ReplicaReference.PrefixOf(replicaPath, epoch)}/generations/";
        var generations = new Dictionary<string, GenerationInventory>(StringComparer.Ordinal);
        await foreach (var item in bucket.ListAsync(root, cancellationToken: cancellationToken))
        {
            var (generation, slash) = (item.Name[root.Length..], item.Name.IndexOf('/', root.Length) - root.Length);
            if (slash < 0 || !ReplicaPosition.IsGeneration(generation[..slash])) continue;
            if (!generations.TryGetValue(generation[..slash], out var found)) generations[generation[..slash]] = found = new GenerationInventory(replicaPath, epoch, generation[..slash]);
            found.Add(item);
        }
        return generations.Values;
    }
}

/// <summary>A snapshot: the whole file at some moment under one WAL.</summary>
/// <param name="Object">The object.</param>
/// <param name="Index">The WAL that continues it, from its beginning.</param>
public sealed record ReplicaSnapshot(BucketObject Object, int Index);

/// <summary>A piece of a WAL.</summary>
/// <param name="Object">The object.</param>
/// <param name="Index">Which WAL.</param>
/// <param name="Offset">Where in it the piece begins, in bytes.</param>
public sealed record ReplicaSegment(BucketObject Object, int Index, long Offset);

/// <summary>What the bucket has of one generation, and what of it a restore needs.</summary>
/// <param name="replicaPath">The organization's object name prefix, without a slash at the end.</param>
/// <param name="epoch">The epoch; 0 for what the older system made.</param>
/// <param name="generation">The generation.</param>
public sealed class GenerationInventory(string replicaPath, long epoch, string generation)
{
    private const string SnapshotFolder = "snapshots/";
    private const string SnapshotEnding = ".snapshot.lz4";
    private const string SegmentFolder = "wal/";
    private const string SegmentEnding = ".wal.lz4";
    private const string EndFolder = "ends/";
    private const int Digits = 8;

    private readonly List<ReplicaSnapshot> _snapshots = [];
    private readonly List<ReplicaSegment> _segments = [];
    private readonly Dictionary<int, long> _ends = [];

    /// <summary>The epoch; 0 for what the older system made.</summary>
    public long Epoch => epoch;

    /// <summary>The object name prefix of the epoch.</summary>
    public string Prefix { get; } = ReplicaReference.PrefixOf(replicaPath, epoch);

    /// <summary>The generation.</summary>
    public string Generation { get; } = generation;

    /// <summary>What all its objects' names begin with.</summary>
    public string Root => RootOf(Prefix, Generation);

    /// <summary>What the names of its snapshots begin with.</summary>
    internal string SnapshotRoot => Root + SnapshotFolder;

    /// <summary>What the names of the pieces of its WAL begin with.</summary>
    internal string SegmentRoot => Root + SegmentFolder;

    /// <summary>The index of its newest snapshot; null without one.</summary>
    internal int? NewestSnapshot => _snapshots.Count == 0 ? null : _snapshots.Max(snapshot => snapshot.Index);

    /// <summary>
    /// Since when it can be restored, by the bucket's clock; null when it cannot be. A snapshot is the file without its WAL, so it
    /// takes the first piece of that too: before, the generation is published by nobody. The older system is not so particular.
    /// </summary>
    public DateTimeOffset? Began => _snapshots.Count == 0 ? null
        : _segments.Count > 0 ? _segments.Min(segment => segment.Object.Updated)
        : epoch == 0 ? _snapshots.Min(snapshot => snapshot.Object.Updated)
        : null;

    /// <summary>Whether the bucket still has its first piece, which Litestream deletes with the first snapshot (<c>Litestream:Retention</c>): then it began no earlier than <see cref="Began"/>.</summary>
    public bool HasBeginning => _segments is [{ Index: 0, Offset: 0 }, ..];

    /// <summary>What the names of a generation's objects begin with.</summary>
    public static string RootOf(string prefix, string generation) => $"{prefix}/generations/{generation}/";

    /// <summary>
    /// The name of the mark that a WAL ended at some byte. Litestream goes on to the next WAL without a word about where the last
    /// one ended, so if the last pieces of one were lost, nothing in the replica would tell.
    /// </summary>
    public static string EndName(string prefix, ReplicaPosition end) =>
        string.Create(CultureInfo.InvariantCulture, $"{RootOf(prefix, end.Generation)}{EndFolder}{end.Index:x8}_{end.Offset:x8}");

    /// <summary>What a restore of the generation's end takes.</summary>
    /// <exception cref="ReplicaIncompleteException">Objects are missing, as far as names can tell.</exception>
    public RestorePlan Newest()
    {
        var snapshot = _snapshots.MaxBy(found => found.Index) ?? throw new ReplicaIncompleteException(Root, "it has no snapshot");
        if (Began is null) throw new ReplicaIncompleteException(Root, "it has no WAL");
        return Plan(snapshot, _segments.Where(segment => segment.Index >= snapshot.Index), []);
    }

    /// <summary>What a restore of the state at a past moment takes; null when the generation has none so old.</summary>
    /// <remarks>
    /// Litestream overwrites the snapshot of a WAL that lasts, so it may be younger than the moment. What it was made from is then
    /// to be proven by the pieces that were uploaded later (<see cref="RestorePlan.Later"/>).
    /// </remarks>
    /// <exception cref="ReplicaIncompleteException">Objects are missing, as far as names can tell.</exception>
    public RestorePlan? At(DateTimeOffset moment)
    {
        if (Began is null || Began > moment) return null;
        var until = _segments.TakeWhile(segment => segment.Object.Updated <= moment).ToList();
        var last = until.LastOrDefault()?.Index ?? -1;
        var snapshot = _snapshots.Where(found => found.Object.Updated <= moment).MaxBy(found => found.Index)
            ?? _snapshots.Where(found => found.Index <= last).MaxBy(found => found.Index);
        if (snapshot is null) return null;
        var later = _segments.Skip(until.Count).Where(segment => segment.Index == snapshot.Index);
        return Plan(snapshot, until.Where(segment => segment.Index >= snapshot.Index), later);
    }

    /// <summary>Where a restore that begins with a snapshot looks for the rest, and from which name on.</summary>
    internal IEnumerable<(string Root, string Start)> RootsFrom(int snapshot) =>
        [.. new[] { Root + EndFolder, SegmentRoot }.Select(root => (root, string.Create(CultureInfo.InvariantCulture, $"{root}{snapshot:x8}")))];

    /// <summary>Takes note of an object of this generation.</summary>
    internal void Add(BucketObject item)
    {
        var name = item.Name[Root.Length..];
        if (name.StartsWith(SnapshotFolder, StringComparison.Ordinal) && name.EndsWith(SnapshotEnding, StringComparison.Ordinal))
        {
            if (Hexadecimal(name.AsSpan(SnapshotFolder.Length..^SnapshotEnding.Length)) is not { } index) return;
            _snapshots.Add(new ReplicaSnapshot(item, (int)index));
        }
        else if (name.StartsWith(SegmentFolder, StringComparison.Ordinal) && name.EndsWith(SegmentEnding, StringComparison.Ordinal))
        {
            if (Pair(name.AsSpan(SegmentFolder.Length..^SegmentEnding.Length)) is not { } place) return;
            // The bucket lists by name, which is the order of index and offset.
            _segments.Add(new ReplicaSegment(item, place.Index, place.Offset));
        }
        else if (name.StartsWith(EndFolder, StringComparison.Ordinal) && Pair(name.AsSpan(EndFolder.Length)) is { } end)
        {
            _ends[end.Index] = end.Offset;
        }
    }

    private RestorePlan Plan(ReplicaSnapshot snapshot, IEnumerable<ReplicaSegment> segments, IEnumerable<ReplicaSegment> later)
    {
        var plan = new RestorePlan(this, snapshot, [.. segments], [.. later], _ends);
        var expected = snapshot.Index;
        foreach (var wal in plan.Segments.GroupBy(segment => segment.Index))
        {
            if (wal.Key != expected) throw new ReplicaIncompleteException(Root, string.Create(CultureInfo.InvariantCulture, $"WAL {expected:x8} is missing"));
            if (wal.First().Offset != 0) throw new ReplicaIncompleteException(Root, string.Create(CultureInfo.InvariantCulture, $"the beginning of WAL {wal.Key:x8} is missing"));
            expected++;
        }
        return plan;
    }

    private static (int Index, long Offset)? Pair(ReadOnlySpan<char> name) =>
        name.Length == Digits + 1 + Digits && name[Digits] == '_' && Hexadecimal(name[..Digits]) is { } index && Hexadecimal(name[(Digits + 1)..]) is { } offset
            ? ((int)index, offset)
            : null;

    private static long? Hexadecimal(ReadOnlySpan<char> digits) =>
        digits.Length == Digits && long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null;
}

/// <summary>What a restore takes, and what proves it.</summary>
/// <param name="Generation">Of which generation.</param>
/// <param name="Snapshot">The file to begin with.</param>
/// <param name="Segments">The WAL from there, in order.</param>
/// <param name="Later">Pieces of the snapshot's own WAL that are not to be applied: the snapshot must not have anything of them.</param>
/// <param name="Ends">WAL to the byte at which it is known to have ended.</param>
public sealed record RestorePlan(
    GenerationInventory Generation, ReplicaSnapshot Snapshot, IReadOnlyList<ReplicaSegment> Segments, IReadOnlyList<ReplicaSegment> Later,
    IReadOnlyDictionary<int, long> Ends)
{
    /// <summary>When the last object that is applied was written, by the bucket's clock: the state is at least as old.</summary>
    public DateTimeOffset StateAt => Segments.Count > 0 ? Segments[^1].Object.Updated : Snapshot.Object.Updated;
}

/// <summary>A replica lacks objects, or they are damaged; a restore of it would be short or wrong.</summary>
public sealed class ReplicaIncompleteException(string prefix, string what, Exception? innerException = null) : Exception(
    $"The replica {prefix} is incomplete: {what}. Restore the missing objects (bucket versioning or soft delete), or choose an older point (silo restore).",
    innerException);
