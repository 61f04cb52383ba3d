using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>A folder laid out as a replica of Litestream's type <c>file</c>, with the objects of one restore in it.</summary>
/// <param name="path">The folder; made here.</param>
/// <param name="plan">What it holds.</param>
internal sealed class ReplicaFolder(string path, RestorePlan plan) : IDisposable
{
    /// <summary>Objects under way at once. A restore of many small pieces is bound by the bucket's latency and not by its bandwidth.</summary>
    private const int AtOnce = 16;

    /// <summary>Pieces that prove the snapshot and are not to be applied.</summary>
    private const string LaterFolder = "later";

    /// <summary>The folder.</summary>
    public string Path { get; } = path;

    /// <summary>Where an object is kept.</summary>
    public string PathOf(BucketObject item) => plan.Later.Any(later => later.Object == item)
        ? System.IO.Path.Combine(Path, LaterFolder, System.IO.Path.GetFileName(item.Name))
        : System.IO.Path.Combine(Path, item.Name[(plan.Generation.Prefix.Length + 1)..]);

    /// <summary>Where a file beside the replica is kept.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Copies every object of the plan from the bucket, which tells the checksum of each, as it was when the plan was made: a running Litestream writes over its snapshots.</summary>
    /// <exception cref="BucketException">The bucket cannot be reached, or an object is gone or was written over.</exception>
    /// <exception cref="IOException">The disk refuses.</exception>
    public async Task FillAsync(BucketClient bucket, CancellationToken cancellationToken)
    {
        BucketObject[] items = [plan.Snapshot.Object, .. plan.Segments.Select(segment => segment.Object), .. plan.Later.Select(segment => segment.Object)];
        foreach (var folder in items.Select(item => System.IO.Path.GetDirectoryName(PathOf(item))!).Distinct(StringComparer.Ordinal))
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await Parallel.ForEachAsync(items, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (item, token) =>
        {
            await using var file = new FileStream(PathOf(item), FileMode.Create, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            await bucket.DownloadAsync(item.Name, item.Generation, file, token);
        });
    }

    /// <summary>Deletes it.</summary>
    public void Dispose()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }
}
