using System.Text.Json.Serialization;

namespace Silo.GcsEmulator.Store;

/// <summary>One line of a bucket's journal: exactly one member is set.</summary>
internal sealed record JournalRecord(BucketAttributes? Bucket = null, StoredObject? Put = null, string? Delete = null);

/// <summary>
/// The bucket itself, the first line of its journal. <see cref="LastGeneration"/>: no object that is gone had a higher one when the
/// journal was written anew.
/// </summary>
internal sealed record BucketAttributes(string Name, DateTimeOffset Created, long Metageneration, long LastGeneration);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JournalRecord))]
internal sealed partial class JournalJson : JsonSerializerContext;
