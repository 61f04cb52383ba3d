using System.Collections.Concurrent;

namespace Silo.GcsEmulator.Store;

/// <summary>All buckets below one data folder.</summary>
internal sealed class ObjectStore : IDisposable
{
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private readonly Lock _creation = new();
    private readonly string _folder;
    private readonly DiskFlush _disk;
    private readonly TimeProvider _time;
    private readonly GenerationClock _generations;
    private long _removals;

    private ObjectStore(string folder, DiskFlush disk, TimeProvider time)
    {
        (_folder, _disk, _time) = (folder, disk, time);
        _generations = new GenerationClock(time);
    }

    /// <summary>How often the disk was waited for.</summary>
    public long Flushes => _disk.Count;

    /// <summary>In name order.</summary>
    public IEnumerable<Bucket> Buckets => _buckets.Values.OrderBy(bucket => bucket.Name, StringComparer.Ordinal);

    private string BucketsFolder => Path.Combine(_folder, "buckets");

    private string RemovedFolder => Path.Combine(_folder, "removed");

    /// <summary>Opens every bucket of the folder. Content files of <paramref name="openUploads"/> are left alone.</summary>
    public static async Task<ObjectStore> OpenAsync(
        string folder, DiskFlush disk, TimeProvider time, ILookup<string, long> openUploads, CancellationToken cancellationToken)
    {
        var store = new ObjectStore(folder, disk, time);
        try
        {
            if (Directory.Exists(store.RemovedFolder)) Directory.Delete(store.RemovedFolder, recursive: true);
            foreach (var path in Directory.CreateDirectory(store.BucketsFolder).EnumerateDirectories().Select(found => found.FullName))
            {
                if (!Bucket.Exists(path))
                {
                    Directory.Delete(path, recursive: true);
                    continue;
                }
                var uploads = openUploads[Path.GetFileName(path)].ToHashSet();
                var bucket = await Bucket.OpenAsync(path, store._generations, disk, uploads, cancellationToken);
                store._buckets[bucket.Name] = bucket;
            }
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public Bucket? Find(string name) => _buckets.GetValueOrDefault(name);

    public Bucket Get(string name) => _buckets.TryGetValue(name, out var bucket) ? bucket : throw GcsRefusal.NoBucket(name);

    public Bucket Create(string name)
    {
        BucketName.Require(name);
        lock (_creation)
        {
            if (_buckets.ContainsKey(name)) throw GcsRefusal.BucketExists();
            return _buckets[name] = Bucket.Create(Path.Combine(BucketsFolder, name), _generations, _disk, _time);
        }
    }

    /// <summary>For buckets that are asked for at start.</summary>
    public void EnsureBucket(string name)
    {
        if (!_buckets.ContainsKey(name)) Create(name);
    }

    public void Delete(string name, Preconditions conditions)
    {
        lock (_creation)
        {
            Get(name).Close(conditions);
            // Moved away first: a crash in the middle of the deletion must not leave half a bucket.
            var removed = Path.Combine(Directory.CreateDirectory(RemovedFolder).FullName, $"{name}.{++_removals}");
            Directory.Move(Path.Combine(BucketsFolder, name), removed);
            _buckets.TryRemove(name, out _);
            Directory.Delete(removed, recursive: true);
        }
    }

    public void Dispose()
    {
        foreach (var bucket in _buckets.Values) bucket.Dispose();
    }
}
