using System.Globalization;

namespace Silo.GcsEmulator.Http;

/// <summary>The part of an object that a <c>Range</c> header asks for.</summary>
internal readonly record struct ByteRange(long First, long Length)
{
    /// <summary>Null means everything: no header, one in another unit, a malformed one or several ranges, as in GCS.</summary>
    public static ByteRange? Parse(string? header, long size)
    {
        if (header is null || !header.StartsWith("bytes=", StringComparison.Ordinal)) return null;
        var parts = header["bytes=".Length..].Split('-');
        if (parts.Length != 2 || !TryNumber(parts[0], out var first) || !TryNumber(parts[1], out var last)) return null;
        return (first, last) switch
        {
            (null, null) => null,
            (null, { } suffix) => Within(Math.Max(0, size - suffix), size - 1, size),
            ({ } from, null) => Within(from, size - 1, size),
            ({ } from, { } to) when from <= to => Within(from, Math.Min(to, size - 1), size),
            _ => null,
        };
    }

    private static ByteRange Within(long first, long last, long size) =>
        first < size ? new ByteRange(first, last - first + 1) : throw GcsRefusal.RangeNotSatisfiable(size);

    private static bool TryNumber(string text, out long? number)
    {
        number = null;
        if (text.Length == 0) return true;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed)) return false;
        number = parsed;
        return true;
    }
}
