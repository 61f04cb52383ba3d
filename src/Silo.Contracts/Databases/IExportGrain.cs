using Orleans.Concurrency;

namespace Silo.Contracts.Databases;

/// <summary>
/// One export: a copy of a database on the disk of the silo that made it, to be fetched piece by piece, as fast as whoever fetches it likes.
/// It does not need the database any more once it is made. It ends when it is told to, when nobody has asked for it for
/// <c>Exports:Expiry</c>, or with its silo; every later call refuses with <see cref="OrganizationErrorCode.DatabaseUnavailable"/>.
/// </summary>
[Alias("silo.IExportGrain")]
public interface IExportGrain : IGrainWithGuidKey
{
    /// <summary>Begins to make it, on the silo of the caller, which has the database open.</summary>
    [Alias("begin")]
    Task Begin(OrganizationId organization);

    /// <summary>Waits for the copy, at most <see cref="OrgDatabaseTimeouts.ExportWait"/>.</summary>
    /// <returns>Null while it is still being made; ask again.</returns>
    [AlwaysInterleave, Alias("wait")]
    Task<ExportedFile?> WaitUntilMade(CancellationToken cancellationToken);

    /// <summary>A piece of the file: <see cref="ExportedFile.PieceBytes"/>, or what is left of it.</summary>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.ExportRead), Alias("read")]
    ValueTask<ExportPiece> Read(long offset, CancellationToken cancellationToken);

    /// <summary>Deletes the file.</summary>
    [AlwaysInterleave, Alias("end")]
    Task End();
}

/// <summary>A file that is made and can be fetched.</summary>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its SHA-256, in hexadecimal.</param>
/// <param name="At">The moment that it shows, or a little before, by the silo's clock.</param>
[GenerateSerializer, Immutable, Alias("silo.ExportedFile")]
public sealed record ExportedFile([property: Id(0)] long Bytes, [property: Id(1)] string Sha256, [property: Id(2)] DateTimeOffset At)
{
    /// <summary>How much of it goes over the wire at once.</summary>
    public const int PieceBytes = 256 * 1024;
}

/// <summary>A piece of a file.</summary>
/// <param name="Content">Nobody changes it after it was read.</param>
[GenerateSerializer, Immutable, Alias("silo.ExportPiece")]
public readonly record struct ExportPiece([property: Id(0)] byte[] Content);
