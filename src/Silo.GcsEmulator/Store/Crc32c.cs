using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Silo.GcsEmulator.Store;

/// <summary>CRC-32C (Castagnoli), by the processor's own instruction where there is one.</summary>
internal struct Crc32c
{
    private uint _complement;

    public readonly uint Value => _complement;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        var crc = ~_complement;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words) crc = BitOperations.Crc32C(crc, word);
        foreach (var rest in bytes[(words.Length * sizeof(ulong))..]) crc = BitOperations.Crc32C(crc, rest);
        _complement = ~crc;
    }

    /// <summary>As GCS writes it: base64 of the four bytes, most significant first.</summary>
    public static string Text(uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return Convert.ToBase64String(bytes);
    }

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var crc = new Crc32c();
        crc.Append(bytes);
        return crc.Value;
    }
}
