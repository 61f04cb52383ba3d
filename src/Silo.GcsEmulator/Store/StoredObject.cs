namespace Silo.GcsEmulator.Store;

/// <summary>One live object as the journal and the index keep it; its bytes are in the content file <see cref="Content"/>.</summary>
internal sealed record StoredObject
{
    public required string Name { get; init; }
    public required long Generation { get; init; }
    public required long Metageneration { get; init; }

    /// <summary>The number of the file in the bucket's content folder.</summary>
    public required long Content { get; init; }
    public required long Size { get; init; }
    public required uint Crc32c { get; init; }

    /// <summary>In base64, as GCS shows it.</summary>
    public required string Md5 { get; init; }
    public required DateTimeOffset Created { get; init; }
    public required DateTimeOffset Updated { get; init; }
    public required ObjectMetadata Metadata { get; init; }

    public string Crc32cText() => Store.Crc32c.Text(Crc32c);

    /// <summary>Changes with the generation and with the metageneration.</summary>
    public string ETag() => $"{Generation:x}-{Metageneration:x}";
}
