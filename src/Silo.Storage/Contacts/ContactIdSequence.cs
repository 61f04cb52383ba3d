using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Silo.Storage.Contacts;

/// <summary>
/// Makes UUIDv7 (RFC 9562, section 5.7) that rise strictly within one writer: those of one millisecond differ by a counter in
/// <c>rand_a</c> (section 6.2, method 1), and a clock that steps back does not make the ids go back.
/// </summary>
internal sealed class ContactIdSequence
{
    private const int MaxCounter = 0xFFF;

    private long _milliseconds;
    private int _counter;

    public string Next(DateTimeOffset now)
    {
        var milliseconds = now.ToUnixTimeMilliseconds();
        if (milliseconds > _milliseconds)
        {
            _milliseconds = milliseconds;
            // Half of the counter's room is left, so that ids of two writers in one millisecond differ here already.
            _counter = RandomNumberGenerator.GetInt32(MaxCounter / 2);
        }
        else if (++_counter > MaxCounter)
        {
            _milliseconds++;
            _counter = 0;
        }

        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        BinaryPrimitives.WriteInt64BigEndian(bytes, _milliseconds << 16);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], (ushort)(0x7000 | _counter));
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3F));
        return new Guid(bytes, bigEndian: true).ToString();
    }
}
