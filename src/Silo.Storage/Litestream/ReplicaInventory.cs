using System.Globalization;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>
/// Reads the names of a generation's objects before it is restored. <c>litestream restore</c> takes what it finds: with a
/// piece of the WAL missing it makes a shorter database, with exit code 0 and a clean <c>integrity_check</c>.
/// </summary>
/// <param name="bucket">The bucket.</param>
public sealed class ReplicaInventory(BucketClient bucket)
{
    /// <summary>Checks that a generation has a snapshot and an unbroken row of WAL files from there.</summary>
    /// <exception cref="ReplicaIncompleteException">It has not.</exception>
    public async Task CheckAsync(string prefix, string generation, CancellationToken cancellationToken)
    {
        var root = $"{prefix}/generations/{generation}/";
        var snapshots = new List<int>();
        var segments = new SortedDictionary<int, long>();
        await foreach (var found in bucket.ListAsync(root, cancellationToken: cancellationToken))
        {
            var name = found.Name[root.Length..];
            if (name.StartsWith("snapshots/", StringComparison.Ordinal))
            {
                snapshots.Add(Hex(name.AsSpan("snapshots/".Length), 0));
            }
            else if (name.StartsWith("wal/", StringComparison.Ordinal))
            {
                var (index, offset) = (Hex(name.AsSpan("wal/".Length), 0), Hex(name.AsSpan("wal/".Length), 9));
                segments[index] = segments.TryGetValue(index, out var first) ? Math.Min(first, offset) : offset;
            }
        }

        if (snapshots.Count == 0) throw new ReplicaIncompleteException(root, "it has no snapshot");
        var expected = snapshots.Max();
        foreach (var (index, first) in segments)
        {
            if (index < expected) continue;
            if (index > expected) throw new ReplicaIncompleteException(root, string.Create(CultureInfo.InvariantCulture, $"WAL {expected:x8} is missing"));
            if (first != 0) throw new ReplicaIncompleteException(root, string.Create(CultureInfo.InvariantCulture, $"the beginning of WAL {index:x8} is missing"));
            expected++;
        }
    }

    /// <summary>Eight hexadecimal digits of a name (<c>snapshots/00000000.snapshot.lz4</c>, <c>wal/00000000_00000000.wal.lz4</c>); -1 for others.</summary>
    private static int Hex(ReadOnlySpan<char> name, int at) =>
        name.Length >= at + 8 && int.TryParse(name.Slice(at, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : -1;
}

/// <summary>A replica lacks objects; a restore of it would be short.</summary>
public sealed class ReplicaIncompleteException(string prefix, string what)
    : Exception($"The replica {prefix} is incomplete: {what}. Restore the missing objects (bucket versioning or soft delete), or choose an older point.");
