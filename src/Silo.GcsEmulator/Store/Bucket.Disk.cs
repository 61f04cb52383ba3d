using System.Globalization;

namespace Silo.GcsEmulator.Store;

// How a bucket comes from disk, goes to it, and keeps its journal short.
internal sealed partial class Bucket
{
    /// <summary>A journal is written anew when it has this many lines more than twice the live objects.</summary>
    private const int SpareLines = 10_000;

    /// <summary>True when the folder holds a bucket: one whose creation was cut short does not.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, "journal"));

    public static Bucket Create(string folder, GenerationClock generations, DiskFlush disk, TimeProvider time)
    {
        var bucket = new Bucket(folder, generations, disk);
        Directory.CreateDirectory(bucket.ContentFolder);
        bucket._attributes = new BucketAttributes(bucket.Name, time.GetUtcNow(), 1, generations.Last);
        bucket._journal = Journal.Create(bucket.JournalPath, disk, [new JournalRecord(bucket._attributes)]);
        return bucket;
    }

    /// <summary>Replays the journal, then deletes the content files that nothing names: uploads that never ended.</summary>
    public static async Task<Bucket> OpenAsync(
        string folder, GenerationClock generations, DiskFlush disk, IReadOnlySet<long> openUploads, CancellationToken cancellationToken)
    {
        var bucket = new Bucket(folder, generations, disk);
        bucket._journal = await Journal.OpenAsync(bucket.JournalPath, disk, bucket.Replay, cancellationToken);
        if (bucket._attributes is null) throw new InvalidDataException($"{bucket.JournalPath} does not begin with its bucket.");
        bucket.SweepContents(openUploads);
        return bucket;
    }

    /// <summary>Takes up a content file that an unfinished upload of an earlier run left.</summary>
    public ContentWriter? ReopenContent(long number)
    {
        if (!HasContent(number)) return null;
        var writer = new ContentWriter(ContentPath(number), number, FileMode.Open);
        writer.Keep(); // the upload's session still names it
        writer.ReadBack();
        return writer;
    }

    /// <summary>Deletes the content of an upload that is over, unless it became this object.</summary>
    public void DeleteContent(string name, long number)
    {
        lock (_gate)
        {
            if (_index.Find(name)?.Content == number) return;
        }
        try
        {
            File.Delete(ContentPath(number));
        }
        catch (DirectoryNotFoundException)
        {
            // The bucket was deleted meanwhile, and this with it.
        }
    }

    private void Replay(JournalRecord record)
    {
        if (record.Bucket is { } attributes)
        {
            _attributes = attributes;
            _generations.Seen(attributes.LastGeneration);
        }
        else if (record.Put is { } put)
        {
            _bytes += put.Size - (_index.Find(put.Name)?.Size ?? 0);
            _index.Put(put);
            _generations.Seen(put.Generation);
        }
        else if (record.Delete is { } name)
        {
            _bytes -= _index.Find(name)?.Size ?? 0;
            _index.Remove(name);
        }
    }

    private void SweepContents(IReadOnlySet<long> openUploads)
    {
        foreach (var upload in openUploads) _generations.Seen(upload);
        var missing = new Dictionary<long, StoredObject>();
        foreach (var item in _index.Objects)
        {
            if (missing.TryAdd(item.Content, item)) continue;
            throw new InvalidDataException(
                $"{JournalPath} gives '{item.Name}' and '{missing[item.Content].Name}' the same bytes. Restore the bucket's folder, or delete it to begin anew.");
        }
        foreach (var file in new DirectoryInfo(ContentFolder).EnumerateFiles())
        {
            if (!long.TryParse(file.Name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)) continue;
            _generations.Seen(number);
            if (!missing.TryGetValue(number, out var item))
            {
                if (!openUploads.Contains(number)) file.Delete();
            }
            else if (file.Length == item.Size)
            {
                missing.Remove(number);
            }
        }
        if (missing.Count == 0) return;
        throw new InvalidDataException(
            $"{ContentFolder} lacks the bytes of {missing.Count} objects, '{missing.Values.First().Name}' among them. This happens when the "
            + "machine, not only the process, went down without --flush; restore the bucket's folder, or delete it to begin anew.");
    }

    private long Write(JournalRecord record)
    {
        var line = _journal.Append(record);
        if (_journal.Lines <= SpareLines + 2L * _index.Count) return line;
        _attributes = _attributes with { LastGeneration = _generations.Last };
        var live = _index.Objects.Where(item => item.Name != (record.Put?.Name ?? record.Delete)).Select(item => new JournalRecord(Put: item));
        try
        {
            _journal.Rewrite(JournalPath, [new JournalRecord(_attributes), .. live, .. record.Put is null ? [] : new[] { record }]);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // No room for a second journal: the long one is whole and goes on, and the change is done.
        }
        return line;
    }
}
