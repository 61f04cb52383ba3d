using System.IO.Compression;
using System.Security.Cryptography;
using Silo.Contracts.Imports;

namespace Silo.Storage.Imports;

/// <summary>A received file on this machine's disk, and the way from its bytes to its rows.</summary>
/// <param name="path">Where it is.</param>
/// <param name="import">What was received.</param>
/// <param name="options">The limits.</param>
internal sealed class ImportFile(string path, StagedImport import, ImportsOptions options)
{
    private const int BufferBytes = 128 * 1024;

    /// <summary>Opens it for one reading from its beginning to its end.</summary>
    /// <exception cref="ImportException">It is not what was received, or not what it says that it is.</exception>
    public IImportRows Open()
    {
        Stream file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes, FileOptions.SequentialScan);
        if (import.IsGzip) file = new InflatedStream(file, options.MaxBytes);
        return import.Format == ImportFormat.Csv
            ? new CsvRows(FileText.Open(file, import.Charset), import.Options.AgentId, options.MaxRowBytes)
            : new JsonRows(FileText.OpenUtf8(file, import.Charset), import.Format == ImportFormat.NdJson, import.Options.AgentId, options.MaxRowBytes);
    }

    /// <summary>Makes sure that it is the file that was received: another one may have been sent under the same key.</summary>
    /// <exception cref="ImportException">It is another one.</exception>
    public void EnsureReceived()
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes, FileOptions.SequentialScan);
        if (file.Length != import.Bytes || !Convert.ToHexStringLower(SHA256.HashData(file)).Equals(import.Sha256, StringComparison.Ordinal))
            throw new ImportException(ImportErrorCode.StagedFileChanged, 0, "Two files were sent at once with the same Idempotency-Key. Send the right one again with a new key.");
    }
}

/// <summary>What a gzip file inflates to, up to a limit.</summary>
internal sealed class InflatedStream(Stream gzip, long maxBytes) : ReadingStream
{
    private readonly GZipStream _inflated = new(gzip, CompressionMode.Decompress);
    private long _total;

    public override int Read(Span<byte> buffer)
    {
        int read;
        try
        {
            read = _inflated.Read(buffer);
        }
        catch (InvalidDataException e)
        {
            throw new ImportException(ImportErrorCode.InvalidFile, 0, $"The file is no whole gzip: {e.Message}", e);
        }
        _total += read;
        return _total <= maxBytes ? read : throw new ImportException(ImportErrorCode.PayloadTooLarge, 0, $"The file inflates to more than the {maxBytes:N0} bytes that are taken.");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _inflated.Dispose();
        base.Dispose(disposing);
    }
}
