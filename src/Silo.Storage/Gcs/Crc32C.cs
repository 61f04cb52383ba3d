using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Silo.Storage.Gcs;

/// <summary>The checksum that the bucket keeps of every object (CRC-32C, Castagnoli), taken piece by piece.</summary>
internal struct Crc32C
{
    private uint _inverted;

    /// <summary>The checksum of the bytes so far as the bucket writes it: base64 of four bytes in big-endian order.</summary>
    public override readonly string ToString()
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, _inverted);
        return Convert.ToBase64String(bytes);
    }

    /// <summary>Takes in the next bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var crc = ~_inverted;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words) crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        foreach (var last in bytes[(words.Length * sizeof(ulong))..]) crc = BitOperations.Crc32C(crc, last);
        _inverted = ~crc;
    }

    /// <summary>The checksum of some bytes.</summary>
    public static string Of(ReadOnlySpan<byte> bytes)
    {
        var crc = new Crc32C();
        crc.Append(bytes);
        return crc.ToString();
    }
}
