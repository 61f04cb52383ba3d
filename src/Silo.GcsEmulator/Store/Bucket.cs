using Microsoft.Win32.SafeHandles;

namespace Silo.GcsEmulator.Store;

/// <summary>
/// One bucket: an index in memory, a journal and content files on disk. Every change checks its conditions, writes its journal line
/// and changes the index under one lock, so a conditional write is decided once. Contents are written before, outside the lock.
/// </summary>
internal sealed partial class Bucket : IDisposable
{
    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly GenerationClock _generations;
    private readonly DiskFlush _disk;
    private readonly ObjectIndex _index = new(); // under _gate
    private Journal _journal = null!; // under _gate, but to flush it
    private BucketAttributes _attributes = null!; // under _gate
    private bool _gone; // under _gate: deleted or closed
    private long _bytes; // under _gate

    private Bucket(string folder, GenerationClock generations, DiskFlush disk)
    {
        (_folder, _generations, _disk) = (folder, generations, disk);
        Name = Path.GetFileName(folder);
    }

    public string Name { get; }

    public BucketAttributes Attributes
    {
        get
        {
            lock (_gate) return _attributes;
        }
    }

    /// <summary>How many objects there are, and their bytes.</summary>
    public (int Objects, long Bytes) Usage
    {
        get
        {
            lock (_gate) return (_index.Count, _bytes);
        }
    }

    /// <summary>True once it was deleted, even if there is another one of its name.</summary>
    public bool IsGone
    {
        get
        {
            lock (_gate) return _gone;
        }
    }

    private string ContentFolder => Path.Combine(_folder, "content");

    private string JournalPath => Path.Combine(_folder, "journal");

    /// <summary>
    /// Starts a content file. It is nothing until <see cref="PutAsync"/> accepts it. Its number never comes again: who deletes a file
    /// late, of a bucket that has been made anew since, deletes nobody else's.
    /// </summary>
    public ContentWriter NewContent()
    {
        var number = _generations.Next(out _);
        try
        {
            return new ContentWriter(ContentPath(number), number);
        }
        catch (DirectoryNotFoundException)
        {
            throw GcsRefusal.NoBucket(Name);
        }
    }

    /// <summary>In the durable mode, returns when the disk has the bytes so far.</summary>
    public void Flush(ContentWriter content) => content.Flush(_disk);

    /// <summary>The live object, or a refusal; <paramref name="generation"/> asks for exactly that one.</summary>
    public StoredObject Get(string name, long? generation, Preconditions conditions)
    {
        lock (_gate) return Readable(name, generation, conditions);
    }

    /// <summary>The live object with its bytes, which stay readable when the object is replaced meanwhile.</summary>
    public (StoredObject Object, SafeFileHandle Content) Open(string name, long? generation, Preconditions conditions)
    {
        lock (_gate)
        {
            var found = Readable(name, generation, conditions);
            return (found, File.OpenHandle(ContentPath(found.Content), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        }
    }

    /// <summary>The live objects that have one of these contents.</summary>
    public IReadOnlyDictionary<long, StoredObject> FindByContent(IReadOnlySet<long> contents)
    {
        lock (_gate) return _index.Objects.Where(item => contents.Contains(item.Content)).ToDictionary(item => item.Content);
    }

    public bool HasContent(long number) => File.Exists(ContentPath(number));

    /// <summary>Refuses early, before a body is read, what <see cref="PutAsync"/> would refuse now.</summary>
    public void RequireForPut(string name, Preconditions conditions)
    {
        lock (_gate) RequireForChange(Find(name), conditions);
    }

    /// <summary>Makes written content the object of this name, if the conditions hold at this moment.</summary>
    public async Task<StoredObject> PutAsync(string name, ObjectMetadata metadata, ContentWriter content, Preconditions conditions)
    {
        Flush(content);
        var md5 = content.Md5();
        StoredObject? old;
        StoredObject put;
        long line;
        lock (_gate)
        {
            old = Find(name);
            RequireForChange(old, conditions);
            put = new StoredObject
            {
                Name = name,
                Generation = _generations.Next(out var now),
                Metageneration = 1,
                Content = content.Number,
                Size = content.Length,
                Crc32c = content.Crc32c,
                Md5 = md5,
                Created = now,
                Updated = now,
                Metadata = metadata,
            };
            line = Write(new JournalRecord(Put: put));
            content.Keep();
            _index.Put(put);
            _bytes += put.Size - (old?.Size ?? 0);
        }
        // Outside the lock, so that nobody else waits for the disk, and before the old bytes go.
        await _journal.FlushAsync(line);
        if (old is not null) File.Delete(ContentPath(old.Content));
        return put;
    }

    /// <summary>Changes the metadata only: the generation stays, the metageneration rises.</summary>
    public async Task<StoredObject> PatchAsync(
        string name, long? generation, Preconditions conditions, Func<ObjectMetadata, ObjectMetadata> change)
    {
        StoredObject patched;
        long line;
        lock (_gate)
        {
            var found = Existing(name, generation);
            RequireForChange(found, conditions);
            _generations.Next(out var now);
            patched = found with { Metadata = change(found.Metadata), Metageneration = found.Metageneration + 1, Updated = now };
            line = Write(new JournalRecord(Put: patched));
            _index.Put(patched);
        }
        await _journal.FlushAsync(line);
        return patched;
    }

    public async Task DeleteAsync(string name, long? generation, Preconditions conditions)
    {
        StoredObject found;
        long line;
        lock (_gate)
        {
            found = Existing(name, generation);
            RequireForChange(found, conditions);
            line = Write(new JournalRecord(Delete: name));
            _index.Remove(name);
            _bytes -= found.Size;
        }
        await _journal.FlushAsync(line);
        File.Delete(ContentPath(found.Content));
    }

    public ListPage List(ListQuery query)
    {
        lock (_gate)
        {
            RequireHere();
            return _index.List(query);
        }
    }

    /// <summary>Ends the bucket, if it is empty; its folder is the caller's to remove.</summary>
    public void Close(Preconditions conditions)
    {
        lock (_gate)
        {
            RequireHere();
            conditions.RequireForChange(1, _attributes.Metageneration);
            if (_index.Count > 0) throw GcsRefusal.BucketNotEmpty();
            _gone = true;
            _journal.Dispose();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _gone = true;
            _journal.Dispose();
        }
    }

    private StoredObject Readable(string name, long? generation, Preconditions conditions)
    {
        var found = Existing(name, generation);
        conditions.RequireForRead(found.Generation, found.Metageneration);
        return found;
    }

    private StoredObject Existing(string name, long? generation) =>
        Find(name) is { } found && (generation is not { } asked || asked == found.Generation) ? found : throw GcsRefusal.NoObject(Name, name);

    private StoredObject? Find(string name)
    {
        RequireHere();
        return _index.Find(name);
    }

    private static void RequireForChange(StoredObject? current, Preconditions conditions) =>
        conditions.RequireForChange(current?.Generation ?? 0, current?.Metageneration ?? 0);

    private void RequireHere()
    {
        if (_gone) throw GcsRefusal.NoBucket(Name);
    }

    private string ContentPath(long number) => Path.Combine(ContentFolder, number.ToString("x"));
}
