using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>
/// Rows in their canonical form, in which both sides are compared, hashed and copied: byte for byte the same if and only if all values
/// have the same types and the same bits.
/// <para>
/// A row is its cells one after the other, a cell a byte for its type and what that needs:
/// <c>0</c> NULL; <c>1</c> integer, 8 bytes, big-endian; <c>2</c> real, the 8 bytes of its IEEE 754 form, big-endian, so that -0.0 is not
/// 0.0; <c>3</c> text and <c>4</c> blob, 8 bytes of length and then the bytes as they are stored, with NULs and with what is no UTF-8.
/// All rows of a table have the same cells (<see cref="TableShape.Cells"/>), so no two sequences of rows have the same bytes. A table's
/// hash is SHA-256 over its rows in the order of their key.
/// </para>
/// </summary>
internal sealed class CanonicalRows
{
    private const byte Null = 0, Integer = 1, Real = 2, Text = 3, Blob = 4;
    private const int Fixed = 9; // a byte of type and 8 of a number or a length

    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>The rows so far.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    /// <summary>Forgets them; the memory stays for the next ones.</summary>
    public void Clear() => _bytes.ResetWrittenCount();

    public void AddNull()
    {
        _bytes.GetSpan(1)[0] = Null;
        _bytes.Advance(1);
    }

    public void Add(long integer) => AddFixed(Integer, integer);

    public void Add(double real) => AddFixed(Real, BitConverter.DoubleToInt64Bits(real));

    public void AddText(ReadOnlySpan<byte> utf8) => AddBytes(Text, utf8);

    public void AddBlob(ReadOnlySpan<byte> bytes) => AddBytes(Blob, bytes);

    /// <summary>Adds a value as the server gave it; no infinity whose sign it could not say.</summary>
    public void Add(TursoValue value)
    {
        switch (value.Type)
        {
            case TursoType.Integer:
                Add(value.AsInteger());
                break;
            case TursoType.Real:
                Add(value.AsReal());
                break;
            case TursoType.Text:
                var text = value.AsText();
                AddFixed(Text, Encoding.UTF8.GetByteCount(text));
                Encoding.UTF8.GetBytes(text, _bytes);
                break;
            case TursoType.Blob:
                AddBlob(value.AsBlob());
                break;
            default:
                AddNull();
                break;
        }
    }

    /// <summary>Takes the next cell off the front of rows.</summary>
    public static CanonicalCell Next(ref ReadOnlySpan<byte> rows)
    {
        var type = rows[0];
        var number = type == Null ? 0 : BinaryPrimitives.ReadInt64BigEndian(rows[1..]);
        var head = type == Null ? 1 : Fixed;
        var length = type is Text or Blob ? (int)number : 0;
        var cell = new CanonicalCell((TursoType)type, number, rows.Slice(head, length));
        rows = rows[(head + length)..];
        return cell;
    }

    private void AddFixed(byte type, long number)
    {
        var span = _bytes.GetSpan(Fixed);
        span[0] = type;
        BinaryPrimitives.WriteInt64BigEndian(span[1..], number);
        _bytes.Advance(Fixed);
    }

    private void AddBytes(byte type, ReadOnlySpan<byte> bytes)
    {
        AddFixed(type, bytes.Length);
        _bytes.Write(bytes);
    }
}

/// <summary>A cell of a row in canonical form.</summary>
/// <param name="type">Its type.</param>
/// <param name="number">The integer, or the bits of the real.</param>
/// <param name="bytes">The bytes of a text or a blob.</param>
internal readonly ref struct CanonicalCell(TursoType type, long number, ReadOnlySpan<byte> bytes)
{
    public TursoType Type { get; } = type;

    public long Number { get; } = number;

    public ReadOnlySpan<byte> Bytes { get; } = bytes;
}
