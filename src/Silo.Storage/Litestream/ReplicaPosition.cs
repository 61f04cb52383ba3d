using System.Buffers;
using System.Globalization;

namespace Silo.Storage.Litestream;

/// <summary>
/// A place in what Litestream 0.3 keeps of a database: <c>generation/index:offset</c>. The index counts WAL files, the offset
/// is in bytes of one; after a checkpoint the offset starts again at 0 under the next index, so only both together are an order.
/// </summary>
/// <param name="Generation">16 hexadecimal digits: one unbroken run of snapshots and WAL.</param>
/// <param name="Index">The WAL file, from 0.</param>
/// <param name="Offset">Bytes into it.</param>
public readonly record struct ReplicaPosition(string Generation, int Index, long Offset)
{
    /// <summary>Length of a generation's name.</summary>
    public const int GenerationLength = 16;

    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    /// <summary>Reads the form in which Litestream logs a position; false for anything else.</summary>
    public static bool TryParse(string? text, out ReplicaPosition position)
    {
        position = default;
        if (text is null) return false;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (slash < 0 || colon < slash || !IsGeneration(text[..slash])) return false;
        if (!int.TryParse(text.AsSpan(slash + 1, colon - slash - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var index)) return false;
        if (!long.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var offset)) return false;
        position = new ReplicaPosition(text[..slash], index, offset);
        return true;
    }

    /// <summary>Whether the text is the name of a generation.</summary>
    public static bool IsGeneration(string? text) =>
        text is { Length: GenerationLength } && !text.AsSpan().ContainsAnyExcept(Hexadecimal);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Generation}/{Index:x8}:{Offset}");
}
