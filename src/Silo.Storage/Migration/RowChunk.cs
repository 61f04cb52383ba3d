namespace Silo.Storage.Migration;

/// <summary>Rows that follow each other in a table, in canonical form. The memory of one is used for the next.</summary>
internal sealed class RowChunk
{
    private readonly CanonicalRows _rows = new();
    private int _lastRow;

    /// <summary>How many rows.</summary>
    public int Count { get; private set; }

    /// <summary>All of them.</summary>
    public ReadOnlySpan<byte> Bytes => _rows.Bytes;

    /// <summary>The last one.</summary>
    public ReadOnlySpan<byte> LastRow => _rows.Bytes[_lastRow..];

    /// <summary>Where the next row goes.</summary>
    public CanonicalRows Add()
    {
        _lastRow = _rows.Bytes.Length;
        Count++;
        return _rows;
    }

    public void Clear()
    {
        _rows.Clear();
        (_lastRow, Count) = (0, 0);
    }
}
