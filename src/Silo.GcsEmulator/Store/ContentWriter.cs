using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Silo.GcsEmulator.Store;

/// <summary>
/// Writes one content file and its checksums as the bytes arrive. The file is nothing until a journal line names it;
/// disposing this without <see cref="Keep"/> deletes it.
/// </summary>
internal sealed class ContentWriter : IDisposable
{
    private const int BlockBytes = 64 * 1024;

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly IncrementalHash _md5 = CreateMd5();
    private Crc32c _crc32c;
    private long _flushed = -1; // a file without bytes has a name to flush
    private bool _kept;

    public ContentWriter(string path, long number, FileMode mode = FileMode.CreateNew)
    {
        _path = path;
        Number = number;
        _file = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
    }

    public long Number { get; }

    public long Length { get; private set; }

    public uint Crc32c => _crc32c.Value;

    public string Crc32cText() => Store.Crc32c.Text(Crc32c);

    /// <summary>Takes what is in the stream, block by block; what came before a broken connection stays.</summary>
    public Task AppendAsync(Stream source, CancellationToken cancellationToken) => AppendAsync(source, long.MaxValue, cancellationToken);

    /// <summary>Takes no more than so many bytes.</summary>
    /// <returns>False when there are more.</returns>
    public async Task<bool> AppendAsync(Stream source, long limit, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            while (true)
            {
                // One byte beyond the limit is asked for, and shows that there are more.
                var wanted = (int)Math.Min(BlockBytes, Math.Max(limit, 1));
                var read = await ReadAsync(source, buffer.AsMemory(0, wanted), cancellationToken);
                if (read == 0) return true;
                if (limit <= 0) return false;
                Append(buffer.AsSpan(0, read));
                limit -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The MD5 of everything so far, in base64.</summary>
    public string Md5()
    {
        Span<byte> hash = stackalloc byte[16];
        _md5.GetCurrentHash(hash);
        return Convert.ToBase64String(hash);
    }

    /// <summary>Takes the bytes that a file left by an earlier run holds already.</summary>
    public void ReadBack()
    {
        var buffer = new byte[BlockBytes];
        int read;
        while ((read = RandomAccess.Read(_file, buffer, Length)) > 0) Count(buffer.AsSpan(0, read));
    }

    /// <summary>An object or a session names the file now: it outlives this writer.</summary>
    public void Keep() => _kept = true;

    /// <summary>In the durable mode, returns when the disk has the bytes.</summary>
    public void Flush(DiskFlush disk)
    {
        if (!disk.Waits || _flushed == Length) return;
        disk.Force(_file);
        _flushed = Length;
    }

    public void Dispose()
    {
        _file.Dispose();
        _md5.Dispose();
        if (_kept) return;
        try
        {
            File.Delete(_path);
        }
        catch (DirectoryNotFoundException)
        {
            // The bucket was deleted meanwhile, and this with it.
        }
    }

    /// <summary>What fails here is the sender's doing; what fails in <see cref="Append"/> is the disk's.</summary>
    private static async ValueTask<int> ReadAsync(Stream source, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await source.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception ended) when (ended is IOException or InvalidDataException)
        {
            throw GcsRefusal.Invalid($"The content ended early: {ended.Message}");
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file, bytes, Length);
        Count(bytes);
    }

    private void Count(ReadOnlySpan<byte> bytes)
    {
        _crc32c.Append(bytes);
        _md5.AppendData(bytes);
        Length += bytes.Length;
    }

    private static IncrementalHash CreateMd5() => IncrementalHash.CreateHash(HashAlgorithmName.MD5);
}
