using System.Security.Cryptography;
using Microsoft.Data.Sqlite;

namespace Silo.Storage.Migration;

/// <summary>What a table contains: how many rows, and the SHA-256 over them in canonical form (<see cref="CanonicalRows"/>).</summary>
/// <param name="Rows">How many rows.</param>
/// <param name="Sha256">The hash, in lower-case hexadecimal digits.</param>
public sealed record TableDigest(long Rows, string Sha256)
{
    private const int BytesAtOnce = 256 * 1024;

    /// <summary>Of the source; its rows pass through.</summary>
    internal static async Task<TableDigest> OfAsync(SourceRows source, Action<int>? progress, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long count = 0;
        await foreach (var chunk in source.ReadAsync(cancellationToken))
        {
            hash.AppendData(chunk.Bytes);
            count += chunk.Count;
            progress?.Invoke(chunk.Count);
        }
        return Of(count, hash);
    }

    /// <summary>Of a table in a file. It blocks until it has read all of it.</summary>
    internal static TableDigest Of(SqliteConnection connection, string select, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var here = new SqliteRow(connection, select);
        var rows = new CanonicalRows();
        long count = 0;
        while (here.Step())
        {
            here.CopyTo(rows);
            count++;
            if (rows.Bytes.Length < BytesAtOnce) continue;
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(rows.Bytes);
            rows.Clear();
        }
        hash.AppendData(rows.Bytes);
        return Of(count, hash);
    }

    private static TableDigest Of(long rows, IncrementalHash hash) => new(rows, Convert.ToHexStringLower(hash.GetHashAndReset()));
}
