using System.Globalization;
using System.Text.Json.Serialization;

namespace Silo.Storage.Gcs;

/// <summary>An object in the bucket's JSON, which writes 64-bit numbers as text.</summary>
internal sealed record ObjectResource(string? Name, long Generation, long Metageneration, long Size, DateTimeOffset Updated, string? Crc32c)
{
    /// <summary>What the writer wrote beside the object; only with <see cref="FieldsWithMetadata"/>.</summary>
    public Dictionary<string, string>? Metadata { get; init; }

    /// <summary>The fields that a request asks for; the rest would be read for nothing.</summary>
    public const string Fields = "name,generation,metageneration,size,updated,crc32c";

    /// <summary>The same, and the writer's own metadata.</summary>
    public const string FieldsWithMetadata = Fields + ",metadata";

    public BucketObject ToBucketObject() => Name is { Length: > 0 } && Generation > 0
        ? new BucketObject(Name, Generation, Metageneration, Size, Updated, Crc32c) { Metadata = Metadata }
        : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"the answer describes no object (name '{Name}', generation {Generation})"));
}

/// <summary>What an upload says of its object.</summary>
internal sealed record UploadResource(string Name, string ContentType, string? Crc32c, IReadOnlyDictionary<string, string>? Metadata = null);

/// <summary>A page of a listing.</summary>
internal sealed record ListResource(IReadOnlyList<ObjectResource>? Items, IReadOnlyList<string>? Prefixes, string? NextPageToken);

/// <summary>A bucket to make.</summary>
internal sealed record BucketResource(string Name);

/// <summary>A failure in the bucket's JSON.</summary>
internal sealed record ErrorResource(ErrorBody? Error);

/// <summary>What <see cref="ErrorResource"/> says.</summary>
internal sealed record ErrorBody(string? Message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    NumberHandling = JsonNumberHandling.AllowReadingFromString,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ObjectResource))]
[JsonSerializable(typeof(UploadResource))]
[JsonSerializable(typeof(ListResource))]
[JsonSerializable(typeof(BucketResource))]
[JsonSerializable(typeof(ErrorResource))]
internal sealed partial class BucketJson : JsonSerializerContext;
