using Microsoft.AspNetCore.Http.Features;

namespace Silo.GcsEmulator.Faults;

/// <summary>A body, of a request or an answer, whose connection is cut after so many bytes.</summary>
internal sealed class CutStream(Stream inner, long bytesLeft, Action cut) : Stream
{
    private long _bytesLeft = bytesLeft;
    private long _bytesTaken;

    public override bool CanRead => inner.CanRead;

    public override bool CanSeek => false;

    public override bool CanWrite => inner.CanWrite;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Counts the request's body from here on, for a cut that is decided when some of it has been read.</summary>
    public static void Watch(HttpContext context) => context.Request.Body = new CutStream(context.Request.Body, long.MaxValue, context.Abort);

    /// <summary>Counts both bodies of this request. What was read of it beyond the cut, even if nobody has used it yet, counts as cut.</summary>
    public static void Arm(HttpContext context, long bytes)
    {
        var answer = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        if (context.Request.Body is CutStream watched) watched.CutAt(bytes);
        else context.Request.Body = new CutStream(context.Request.Body, bytes, context.Abort);
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(new CutStream(answer.Stream, bytes, context.Abort), answer));
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_bytesLeft == 0 && buffer.Length > 0) throw Cut();
        var read = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _bytesLeft)], cancellationToken);
        _bytesLeft -= read;
        _bytesTaken += read;
        return read;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var allowed = (int)Math.Min(buffer.Length, _bytesLeft);
        await inner.WriteAsync(buffer[..allowed], cancellationToken);
        await inner.FlushAsync(cancellationToken);
        _bytesLeft -= allowed;
        if (allowed < buffer.Length) throw Cut();
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void CutAt(long bytes)
    {
        if (_bytesTaken > bytes) throw Cut();
        _bytesLeft = bytes - _bytesTaken;
    }

    private IOException Cut()
    {
        cut();
        return new IOException("The connection was cut as the fault plan says.");
    }
}
