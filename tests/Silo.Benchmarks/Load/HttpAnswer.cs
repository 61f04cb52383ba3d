using System.Buffers.Text;
using System.Text;

namespace Silo.Benchmarks.Load;

/// <summary>
/// An HTTP/1.1 answer as it comes in: received bytes are put into <see cref="Free"/>, and <see cref="Advance"/> tells whether
/// the answer is whole. Knows Content-Length and chunks, and nothing that our servers do not send.
/// </summary>
internal sealed class HttpAnswer
{
    private const int MaxLength = 16 * 1024 * 1024;

    private byte[] _buffer = new byte[64 * 1024];
    private int _length;
    private int _bodyStart;
    private int _bodyLength = -1; // not known yet
    private bool _chunked;
    private int _nextChunk;

    /// <summary>The status code; 0 before the head is there.</summary>
    public int Status { get; private set; }

    /// <summary>Whether it is a 2xx.</summary>
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>Bytes received, head included.</summary>
    public int Length => _length;

    /// <summary>Where the next bytes go; never empty.</summary>
    public Span<byte> Free
    {
        get
        {
            if (_length == _buffer.Length)
            {
                if (_length >= MaxLength) throw new InvalidDataException("An answer is longer than the benchmark expects of any.");
                Array.Resize(ref _buffer, _buffer.Length * 2);
            }
            return _buffer.AsSpan(_length);
        }
    }

    /// <summary>Forgets the answer, so that the next one can come.</summary>
    public void Reset()
    {
        _length = _bodyStart = _nextChunk = Status = 0;
        _bodyLength = -1;
        _chunked = false;
    }

    /// <summary>So many bytes were put into <see cref="Free"/>.</summary>
    /// <returns>Whether the answer is whole.</returns>
    public bool Advance(int count)
    {
        _length += count;
        if (Status == 0 && !ReadHead()) return false;
        return _chunked ? ReadChunks() : _length >= _bodyStart + _bodyLength;
    }

    /// <summary>The body, freed of its chunks.</summary>
    public byte[] Body()
    {
        if (!_chunked) return _buffer.AsSpan(_bodyStart, _bodyLength).ToArray();
        using var body = new MemoryStream();
        for (var at = _bodyStart; ReadChunkHead(at, out var start, out var size) && size > 0; at = start + size + 2) body.Write(_buffer, start, size);
        return body.ToArray();
    }

    /// <inheritdoc/>
    public override string ToString() => Encoding.UTF8.GetString(_buffer, 0, Math.Min(_length, 600));

    private bool ReadHead()
    {
        var received = _buffer.AsSpan(0, _length);
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0) return false;
        if (!received.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(received[9..12], out int status, out _)) throw new InvalidDataException("This is no HTTP/1.1 answer.");
        Status = status;
        _bodyStart = _nextChunk = end + 4;
        foreach (var range in Lines(received[..end]))
        {
            var line = received[range];
            if (Value(line, "content-length:"u8) is { Length: > 0 } length && Utf8Parser.TryParse(length, out int bytes, out _)) _bodyLength = bytes;
            else if (Value(line, "transfer-encoding:"u8) is { Length: > 0 } coding && Ascii.EqualsIgnoreCase(coding, "chunked"u8)) _chunked = true;
        }
        if (_bodyLength < 0) _bodyLength = 0; // 204
        return true;
    }

    private bool ReadChunks()
    {
        while (ReadChunkHead(_nextChunk, out var start, out var size))
        {
            if (_length < start + size + 2) return false;
            if (size == 0) return true;
            _nextChunk = start + size + 2;
        }
        return false;
    }

    private bool ReadChunkHead(int at, out int start, out int size)
    {
        (start, size) = (0, 0);
        var line = _buffer.AsSpan(at, _length - at);
        var end = line.IndexOf("\r\n"u8);
        if (end < 0) return false;
        if (!Utf8Parser.TryParse(line[..end], out size, out _, 'x')) throw new InvalidDataException("A chunk has no size.");
        start = at + end + 2;
        return true;
    }

    private static List<Range> Lines(ReadOnlySpan<byte> head)
    {
        var lines = new List<Range>(12);
        for (var at = 0; at < head.Length;)
        {
            var length = head[at..].IndexOf("\r\n"u8);
            if (length < 0) length = head.Length - at;
            lines.Add(at..(at + length));
            at += length + 2;
        }
        return lines;
    }

    private static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name) =>
        line.Length > name.Length && Ascii.EqualsIgnoreCase(line[..name.Length], name) ? line[name.Length..].Trim((byte)' ') : default;
}
