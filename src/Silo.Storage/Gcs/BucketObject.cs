using System.Diagnostics.CodeAnalysis;

namespace Silo.Storage.Gcs;

/// <summary>One version of one object, as the bucket describes it.</summary>
/// <param name="Name">Its name, up to 1,024 bytes of UTF-8.</param>
/// <param name="Generation">Which version; greater than 0. A conditional write names it.</param>
/// <param name="Metageneration">Which version of its metadata; 1 or more.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Updated">When it was last changed, by the bucket's clock. To the millisecond from a listing, to the second from a download.</param>
/// <param name="Crc32c">CRC-32C of its bytes, base64 of four bytes in big-endian order; null when the bucket does not say.</param>
public sealed record BucketObject(string Name, long Generation, long Metageneration, long Size, DateTimeOffset Updated, string? Crc32c)
{
    /// <summary>What its writer wrote beside it; only from a listing that asks for it.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>A page of a listing.</summary>
/// <param name="Objects">The objects, by name.</param>
/// <param name="NextToken">What the next page is asked for with; null after the last.</param>
/// <param name="ServerTime">The bucket's clock when it answered (header <c>Date</c>, to the second).</param>
public readonly record struct BucketPage(IReadOnlyList<BucketObject> Objects, string? NextToken, DateTimeOffset ServerTime);

/// <summary>A small object with its bytes, both of one and the same version.</summary>
/// <param name="Object">Its description.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="ServerTime">The bucket's clock when it answered (header <c>Date</c>, to the second). An age is judged against this clock, never ours.</param>
[SuppressMessage("Naming", "CA1720", Justification = "An object is what a bucket holds.")]
public readonly record struct BucketContent(BucketObject Object, byte[] Bytes, DateTimeOffset ServerTime);
