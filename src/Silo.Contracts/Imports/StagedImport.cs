namespace Silo.Contracts.Imports;

/// <summary>A file of contacts that is in the bucket and waits for its organization to take it in.</summary>
[GenerateSerializer, Immutable, Alias("silo.StagedImport")]
public sealed record StagedImport
{
    /// <summary>A UUID in its usual form, lower case: the caller's <c>Idempotency-Key</c> if there was one.</summary>
    [Id(0)] public required string Id { get; init; }

    /// <summary>What it is written in.</summary>
    [Id(1)] public required ImportFormat Format { get; init; }

    /// <summary>Whether it is compressed with gzip (RFC 1952).</summary>
    [Id(2)] public required bool IsGzip { get; init; }

    /// <summary>The name of its character encoding, as IANA registers it; null to tell by its first bytes, and else UTF-8.</summary>
    [Id(3)] public string? Charset { get; init; }

    /// <summary>Its size as it was received, in bytes.</summary>
    [Id(4)] public required long Bytes { get; init; }

    /// <summary>Its SHA-256 as it was received, in hexadecimal.</summary>
    [Id(5)] public required string Sha256 { get; init; }

    /// <summary>How it is to be taken in.</summary>
    [Id(6)] public required ImportOptions Options { get; init; }

    /// <summary>Who sent it (the token's <c>sub</c>); null when the token does not say.</summary>
    [Id(7)] public string? User { get; init; }

    /// <summary>The address that it came from.</summary>
    [Id(8)] public string? Source { get; init; }

    /// <summary>When its first byte was received.</summary>
    [Id(9)] public required DateTimeOffset ReceivedAt { get; init; }
}
