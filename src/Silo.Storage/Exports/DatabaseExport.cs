using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Imports;

namespace Silo.Storage.Exports;

/// <summary>One export: a copy of a database in a file of its own, for somebody to fetch. Once it is made, the database may go.</summary>
public sealed class DatabaseExport : IAsyncDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _folder;
    private readonly Action _ended;
    private readonly CancellationTokenSource _ending = new();
    private SafeFileHandle? _file; // set before Made completes
    private int _disposed;

    internal DatabaseExport(OrgDatabase database, string folder, TimeSpan maxWriteHold, Action<bool> written, Action ended)
    {
        Organization = database.Organization;
        _folder = folder;
        _ended = ended;
        Made = MakeAsync(database, maxWriteHold, written);
    }

    /// <summary>Whose rows it has.</summary>
    public OrganizationId Organization { get; }

    /// <summary>Completes when the file is whole, and fails with an <see cref="OrganizationException"/> when it never will be.</summary>
    public Task<ExportedFile> Made { get; }

    /// <summary>A piece of the file.</summary>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="length">How much is wanted. There is less at the end of the file only.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    public async ValueTask<byte[]> ReadAsync(long offset, int length, CancellationToken cancellationToken)
    {
        var file = await Made;
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, file.Bytes);
        var piece = new byte[Math.Min(length, file.Bytes - offset)];
        for (var read = 0; read < piece.Length;)
        {
            var more = await RandomAccess.ReadAsync(_file!, piece.AsMemory(read), offset + read, cancellationToken);
            if (more == 0) throw new EndOfStreamException($"The file of an export ends at {offset + read} of {file.Bytes} bytes.");
            read += more;
        }
        return piece;
    }

    /// <summary>Ends it, whether or not it was fetched: the file is gone afterwards.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _ending.CancelAsync();
        await ((Task)Made).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            await Task.Run(
                () =>
                {
                    _file?.Dispose();
                    if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
                }, CancellationToken.None);
        }
        finally
        {
            _ended();
            _ending.Dispose();
        }
    }

    private async Task<ExportedFile> MakeAsync(OrgDatabase database, TimeSpan maxWriteHold, Action<bool> written)
    {
        var isMade = false;
        try
        {
            Directory.CreateDirectory(_folder, OwnerOnly);
            var path = Path.Combine(_folder, "export.db");
            var at = await database.CopyAsync(path, maxWriteHold, _ending.Token);
            _file = File.OpenHandle(path, options: FileOptions.Asynchronous | FileOptions.SequentialScan);
            var file = await BackgroundThread.RunAsync(() => new ExportedFile(RandomAccess.GetLength(_file), Hash(path), at));
            isMade = true;
            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The silo's disk refused the copy.", e) { RetryAfter = TimeSpan.FromMinutes(1) };
        }
        finally
        {
            written(isMade);
        }
    }

    private string Hash(string path)
    {
        using var content = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[256 * 1024];
        for (var read = content.Read(buffer); read > 0; read = content.Read(buffer))
        {
            _ending.Token.ThrowIfCancellationRequested();
            hash.AppendData(buffer.AsSpan(0, read));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
