using System.Text;

namespace Silo.Storage.Turso;

/// <summary>The types of a value in SQLite.</summary>
public enum TursoType
{
    /// <summary>NULL.</summary>
    Null,

    /// <summary>A signed integer of 64 bits.</summary>
    Integer,

    /// <summary>A floating point number of 64 bits.</summary>
    Real,

    /// <summary>Text, which may contain NULs.</summary>
    Text,

    /// <summary>Bytes.</summary>
    Blob,
}

/// <summary>
/// One value, as an argument or from a row. Values are equal when they are of one type and have the same bits.
/// <para>
/// JSON, in which they travel, has no infinities. As an argument one is refused (<c>CAST(? AS REAL)</c> of the text <c>9e999</c> makes it).
/// In a row the server says only that it is one: <see cref="IsLostInfinity"/>. NaN does not exist in SQLite.
/// </para>
/// </summary>
public readonly struct TursoValue : IEquatable<TursoValue>
{
    /// <summary>An infinity whose sign the answer did not say.</summary>
    internal static readonly TursoValue LostInfinity = new(TursoType.Real, BitConverter.DoubleToInt64Bits(double.NaN), null);

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly long _bits;
    private readonly object? _reference;

    private TursoValue(TursoType type, long bits, object? reference) => (Type, _bits, _reference) = (type, bits, reference);

    /// <summary>NULL.</summary>
    public static TursoValue Null => default;

    /// <summary>Its type.</summary>
    public TursoType Type { get; }

    /// <summary>Whether it is NULL.</summary>
    public bool IsNull => Type == TursoType.Null;

    /// <summary>
    /// Whether it is an infinity of a row, whose sign the server cannot say: ask for it in SQL (<c>column &gt; 0</c>).
    /// </summary>
    public bool IsLostInfinity => Type == TursoType.Real && double.IsNaN(BitConverter.Int64BitsToDouble(_bits));

    /// <summary>An integer.</summary>
    public static implicit operator TursoValue(long value) => new(TursoType.Integer, value, null);

    /// <summary>A number.</summary>
    /// <exception cref="ArgumentException">It is an infinity or NaN.</exception>
    public static implicit operator TursoValue(double value) => double.IsFinite(value)
        ? new(TursoType.Real, BitConverter.DoubleToInt64Bits(value), null)
        : throw new ArgumentException("No infinity and no NaN can be sent. CAST(? AS REAL) of the text 9e999 or -9e999 makes an infinity.", nameof(value));

    /// <summary>A text; NULL for null.</summary>
    /// <exception cref="ArgumentException">It has half of a surrogate pair, which has no UTF-8 form.</exception>
    public static implicit operator TursoValue(string? value)
    {
        if (value is null) return default;
        try
        {
            _ = Strict.GetByteCount(value);
        }
        catch (EncoderFallbackException)
        {
            // The JSON writer would put U+FFFD in its place without a word.
            throw new ArgumentException("The text has half of a surrogate pair, which cannot be stored.", nameof(value));
        }
        return OfText(value);
    }

    /// <summary>Bytes, which are not copied; NULL for null.</summary>
    public static implicit operator TursoValue(byte[]? value) => value is null ? default : new(TursoType.Blob, 0, value);

    /// <summary>The integer.</summary>
    /// <exception cref="InvalidOperationException">It is none.</exception>
    public long AsInteger() => Type == TursoType.Integer ? _bits : throw Not(TursoType.Integer);

    /// <summary>The number, never NaN.</summary>
    /// <exception cref="InvalidOperationException">It is none, or it <see cref="IsLostInfinity"/>.</exception>
    public double AsReal()
    {
        if (Type != TursoType.Real) throw Not(TursoType.Real);
        if (IsLostInfinity) throw new InvalidOperationException("The value is an infinity, and the server's JSON cannot say which: ask for it in SQL.");
        return BitConverter.Int64BitsToDouble(_bits);
    }

    /// <summary>The text.</summary>
    /// <exception cref="InvalidOperationException">It is none.</exception>
    public string AsText() => Type == TursoType.Text ? (string)_reference! : throw Not(TursoType.Text);

    /// <summary>The bytes; they are not copied.</summary>
    /// <exception cref="InvalidOperationException">It has none.</exception>
    public byte[] AsBlob() => Type == TursoType.Blob ? (byte[])_reference! : throw Not(TursoType.Blob);

    /// <inheritdoc/>
    public bool Equals(TursoValue other) => Type == other.Type && _bits == other._bits && Type switch
    {
        TursoType.Text => AsText() == other.AsText(),
        TursoType.Blob => AsBlob().AsSpan().SequenceEqual(other.AsBlob()),
        _ => true,
    };

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TursoValue other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Type, _bits, Type == TursoType.Blob ? AsBlob().Length : _reference?.GetHashCode() ?? 0);

    /// <summary>Whether both are equal.</summary>
    public static bool operator ==(TursoValue left, TursoValue right) => left.Equals(right);

    /// <summary>Whether both differ.</summary>
    public static bool operator !=(TursoValue left, TursoValue right) => !left.Equals(right);

    /// <summary>The type alone: values are other people's data and do not belong into logs.</summary>
    public override string ToString() => Type.ToString();

    /// <summary>A text of an answer, which is UTF-8 and so has no half pairs.</summary>
    internal static TursoValue OfText(string value) => new(TursoType.Text, 0, value);

    private InvalidOperationException Not(TursoType type) => new($"The value is {Type}, not {type}.");
}
