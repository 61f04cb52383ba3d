using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Silo.Storage.Sqlite;

/// <summary>
/// How far a database's WAL has come. The salt changes whenever the WAL starts again at its beginning, so a number of frames
/// means something only together with it ("The WAL File Format", sqlite.org/fileformat2).
/// </summary>
/// <param name="Salt">Bytes 16 to 24 of the WAL header; 0 while there is no WAL.</param>
/// <param name="Frames">Committed frames (pages).</param>
/// <param name="PageSize">Bytes of a page of the database.</param>
public readonly record struct WalPosition(ulong Salt, int Frames, int PageSize)
{
    /// <summary>Bytes of WAL up to the end of the last committed frame.</summary>
    public long Bytes => Frames == 0 ? 0 : WalChain.HeaderSize + ((long)Frames * (WalChain.FrameHeaderSize + PageSize));

    /// <summary>The salt in a WAL file's header, or in Litestream's copy of one; 0 when there is no file or no whole header.</summary>
    public static ulong ReadSalt(string walPath)
    {
        try
        {
            using var file = OpenWal(walPath);
            return ReadSalt(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return 0;
        }
    }

    internal static SafeFileHandle OpenWal(string walPath) =>
        File.OpenHandle(walPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    internal static ulong ReadSalt(SafeFileHandle wal)
    {
        Span<byte> header = stackalloc byte[WalChain.HeaderSize];
        return RandomAccess.Read(wal, header, 0) == WalChain.HeaderSize ? BinaryPrimitives.ReadUInt64BigEndian(header[16..]) : 0;
    }
}
