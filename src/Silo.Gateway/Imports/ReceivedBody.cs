using System.IO.Compression;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Silo.Contracts;
using Silo.Storage.Imports;

namespace Silo.Gateway.Imports;

/// <summary>
/// A body as it comes in, counted and hashed on its way through. One that is compressed is inflated beside, for its size alone: a small
/// file that inflates to terabytes is refused while it comes.
/// </summary>
internal sealed class ReceivedBody : ReadingStream
{
    private readonly Stream _body;
    private readonly long _maxBytes;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Pipe? _compressed;
    private readonly Task _inflating = Task.CompletedTask;

    public ReceivedBody(Stream body, bool isGzip, long maxBytes)
    {
        _body = body;
        _maxBytes = maxBytes;
        if (!isGzip) return;
        _compressed = new Pipe();
        _inflating = InflateAsync(_compressed.Reader);
    }

    /// <summary>Bytes received so far.</summary>
    public long Received { get; private set; }

    /// <summary>The SHA-256 of all that was received, in hexadecimal; once, at the end.</summary>
    public string Sha256() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    /// <summary>Makes sure that it was a whole one.</summary>
    /// <exception cref="OrganizationException">It was empty, or its compression is cut off or inflates to too much.</exception>
    public async Task EndAsync()
    {
        if (Received == 0) throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "The body is empty.");
        if (_compressed is null) return;
        await _compressed.Writer.CompleteAsync();
        await _inflating;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await _body.ReadAsync(buffer, cancellationToken);
        Received += read;
        _hash.AppendData(buffer.Span[..read]);
        if (_compressed is not null && read > 0)
        {
            var flushed = await _compressed.Writer.WriteAsync(buffer[..read], cancellationToken);
            // Nobody inflates any more: the task says why, unless the file goes on behind the end of its compression.
            if (flushed.IsCompleted) await _inflating;
        }
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(Span<byte> buffer) => throw new NotSupportedException("A body is read asynchronously.");

    public override async ValueTask DisposeAsync()
    {
        if (_compressed is not null)
        {
            await _compressed.Writer.CompleteAsync(new OperationCanceledException());
            await _inflating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        _hash.Dispose();
        await base.DisposeAsync();
    }

    private async Task InflateAsync(PipeReader compressed)
    {
        const int BufferBytes = 64 * 1024;
        try
        {
            await using var inflated = new GZipStream(compressed.AsStream(leaveOpen: true), CompressionMode.Decompress);
            var buffer = new byte[BufferBytes];
            for (long total = 0; ;)
            {
                var read = await inflated.ReadAsync(buffer);
                if (read == 0) return;
                total += read;
                if (total > _maxBytes) throw new OrganizationException(OrganizationErrorCode.PayloadTooLarge, $"The body inflates to more than the {_maxBytes:N0} bytes that are taken.");
            }
        }
        catch (InvalidDataException e)
        {
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, $"The body is no whole gzip: {e.Message}", e);
        }
        finally
        {
            await compressed.CompleteAsync();
        }
    }
}
