using System.Globalization;
using System.Text;

namespace Silo.Storage.Imports;

/// <summary>Makes text of a file's bytes: by the charset that it was sent with, else by its first bytes, else as UTF-8.</summary>
public static class FileText
{
    /// <summary>
    /// Stands where bytes are no text. It is no character and may not occur in any text that is exchanged (Unicode, section 23.7), so that
    /// the row in which it is found is known.
    /// </summary>
    internal const char Undecodable = '\uFFFF';

    private const int BufferBytes = 64 * 1024;

    /// <summary>The encoding of a file whose first bytes these are.</summary>
    /// <param name="charset">What it was sent with; null when nothing was said.</param>
    /// <param name="start">At least four bytes, unless the file has fewer.</param>
    /// <returns>The encoding, and how many of these bytes are its mark.</returns>
    /// <exception cref="ImportException">There is no such charset.</exception>
    internal static (Encoding Encoding, int Mark) Detect(string? charset, ReadOnlySpan<byte> start)
    {
        if (start is [0xEF, 0xBB, 0xBF, ..]) return (Strict("utf-8"), 3);
        if (start is [0xFF, 0xFE, ..]) return (Strict("utf-16"), 2);
        if (start is [0xFE, 0xFF, ..]) return (Strict("utf-16BE"), 2);
        if (charset is not null) return (Strict(charset), 0);
        // Without a mark, every other byte of the Latin letters of a header row is zero.
        if (start is [not 0, 0, not 0, 0, ..]) return (Strict("utf-16"), 0);
        if (start is [0, not 0, 0, not 0, ..]) return (Strict("utf-16BE"), 0);
        return (Strict("utf-8"), 0);
    }

    /// <summary>Whether this is the name of a charset that can be read.</summary>
    public static bool IsKnown(string charset)
    {
        try
        {
            Encoding.GetEncoding(charset);
            return true;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>Reads a file as text.</summary>
    internal static TextReader Open(Stream file, string? charset)
    {
        var (encoding, rest) = Start(file, charset);
        return new StreamReader(rest, encoding, detectEncodingFromByteOrderMarks: false, BufferBytes);
    }

    /// <summary>Reads a file as UTF-8, whatever it is.</summary>
    internal static Stream OpenUtf8(Stream file, string? charset)
    {
        var (encoding, rest) = Start(file, charset);
        return encoding.CodePage == Encoding.UTF8.CodePage ? rest : Encoding.CreateTranscodingStream(rest, encoding, Encoding.UTF8);
    }

    /// <summary>A row has bytes that are no text.</summary>
    internal static ImportException WrongEncoding(long row) => new(
        ImportErrorCode.InvalidEncoding, row,
        string.Create(CultureInfo.InvariantCulture, $"Row {row} has bytes that are no text. Save the file as UTF-8, or name its charset in the Content-Type."));

    private static (Encoding Encoding, Stream Text) Start(Stream file, string? charset)
    {
        var start = new byte[4];
        var length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        var (encoding, mark) = Detect(charset, start.AsSpan(0, length));
        return (encoding, new PrefixedStream(start.AsMemory(mark, length - mark), file));
    }

    private static Encoding Strict(string charset) =>
        Encoding.GetEncoding(charset, EncoderFallback.ExceptionFallback, new DecoderReplacementFallback(Undecodable.ToString()));
}
