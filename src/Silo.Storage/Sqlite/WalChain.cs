using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Silo.Storage.Sqlite;

/// <summary>
/// Follows WALs frame by frame as SQLite would recover them ("The WAL File Format", sqlite.org/fileformat2). SQLite stops without
/// a word at the first frame that does not continue the one before; here that is an error. Every frame carries a checksum over all
/// before it, so nothing can be missing, foreign or out of order in one WAL, and the salt counts the WALs.
/// </summary>
internal sealed class WalChain
{
    /// <summary>Bytes of a WAL's header.</summary>
    public const int HeaderSize = 32;

    /// <summary>Bytes of the header of a frame; the page follows.</summary>
    public const int FrameHeaderSize = 24;

    private const int MinPageSize = 512;
    private const int MaxPageSize = 65_536;
    private const uint MagicLittleEndian = 0x377f0682;
    private const uint MagicBigEndian = 0x377f0683;

    private uint _sum0, _sum1;
    private uint _salt0, _salt1;
    private uint? _lastSalt0;
    private bool _bigEndian;

    /// <summary>Whether the frames so far end with a commit; SQLite drops those after the last one.</summary>
    public bool EndsWithCommit { get; private set; }

    /// <summary>Bytes of the current WAL so far.</summary>
    public long Length { get; private set; }

    /// <summary>Bytes of a page, as the WAL's header says.</summary>
    public int PageSize { get; private set; }

    /// <summary>Takes the header of the next WAL.</summary>
    /// <exception cref="WalChainException">It is none, or not of the WAL that follows the last one.</exception>
    public void Begin(ReadOnlySpan<byte> header)
    {
        if (header.Length < HeaderSize) throw new WalChainException("it is shorter than a WAL header");
        var magic = Word(header);
        if (magic is not (MagicLittleEndian or MagicBigEndian)) throw new WalChainException("it does not begin with a WAL header");
        _bigEndian = magic == MagicBigEndian;
        (_sum0, _sum1) = (0, 0);
        Sum(header[..24]);
        if (_sum0 != Word(header[24..]) || _sum1 != Word(header[28..])) throw new WalChainException("its WAL header is damaged");
        (_salt0, _salt1) = (Word(header[16..]), Word(header[20..]));
        var pageSize = Word(header[8..]);
        if (pageSize is < MinPageSize or > MaxPageSize || !BitOperations.IsPow2(pageSize)) throw new WalChainException($"it has pages of {pageSize} bytes");
        if (_lastSalt0 is not null && pageSize != PageSize) throw new WalChainException($"it has pages of {pageSize} bytes, and the one before it of {PageSize}");
        PageSize = (int)pageSize;
        if (_lastSalt0 is { } last && _salt0 != unchecked(last + 1)) throw new WalChainException("it is of another WAL than the one that follows");
        _lastSalt0 = _salt0;
        EndsWithCommit = true;
        Length = HeaderSize;
    }

    /// <summary>Takes the next frame.</summary>
    /// <returns>The number of the page in it, from 1.</returns>
    /// <exception cref="WalChainException">It does not continue the one before.</exception>
    public int Append(ReadOnlySpan<byte> frame)
    {
        Sum(frame[..8]);
        Sum(frame[FrameHeaderSize..]);
        if (Word(frame[8..]) != _salt0 || Word(frame[12..]) != _salt1) throw new WalChainException("it is of another WAL");
        if (Word(frame[16..]) != _sum0 || Word(frame[20..]) != _sum1) throw new WalChainException("it does not continue the piece before it");
        EndsWithCommit = Word(frame[4..]) != 0;
        Length += frame.Length;
        return (int)Word(frame);
    }

    private void Sum(ReadOnlySpan<byte> bytes)
    {
        var (sum0, sum1) = (_sum0, _sum1);
        var words = MemoryMarshal.Cast<byte, uint>(bytes);
        if (_bigEndian != BitConverter.IsLittleEndian)
        {
            for (var i = 0; i + 1 < words.Length; i += 2)
            {
                sum0 = unchecked(sum0 + words[i] + sum1);
                sum1 = unchecked(sum1 + words[i + 1] + sum0);
            }
        }
        else
        {
            for (var i = 0; i + 1 < words.Length; i += 2)
            {
                sum0 = unchecked(sum0 + BinaryPrimitives.ReverseEndianness(words[i]) + sum1);
                sum1 = unchecked(sum1 + BinaryPrimitives.ReverseEndianness(words[i + 1]) + sum0);
            }
        }
        (_sum0, _sum1) = (sum0, sum1);
    }

    private static uint Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32BigEndian(bytes);
}

/// <summary>A piece of a WAL is damaged or does not belong where it is.</summary>
internal sealed class WalChainException(string message) : Exception(message);
