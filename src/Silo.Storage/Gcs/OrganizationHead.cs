using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Silo.Contracts;

namespace Silo.Storage.Gcs;

/// <summary>
/// The object <c>heads/{org}.json</c>: who owns an organization, and which generation is the truth. It is written only by
/// compare-and-set on the object's generation, and never deleted.
/// </summary>
public sealed record OrganizationHead
{
    /// <summary>The form of this document that the program writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The form of this document.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Counts the owners: one more at every change.</summary>
    public required long Epoch { get; init; }

    /// <summary>What the owner of this epoch does.</summary>
    public required HeadState State { get; init; }

    /// <summary>The owner of this epoch, or the last one.</summary>
    public required HeadOwner Owner { get; init; }

    /// <summary>Names the one request that wrote this document, so that its sender knows it again when the answer was lost.</summary>
    public required string OperationId { get; init; }

    /// <summary>For how long after the object's <c>updated</c> the owner holds it, in milliseconds; 0 in heads of before leases had an end.</summary>
    public long TtlMs { get; init; }

    /// <summary>What to restore until <see cref="Current"/> is published; null for an organization that has no rows yet.</summary>
    public ReplicaReference? Base { get; init; }

    /// <summary>What this epoch's owner published; null before that.</summary>
    public ReplicaReference? Current { get; init; }

    /// <summary>The version of the schema in the file.</summary>
    public int SchemaVersion { get; init; }

    /// <summary>What a restore must read.</summary>
    [JsonIgnore]
    public ReplicaReference? Truth => Current ?? Base;

    /// <summary>What the names of all heads begin with.</summary>
    public const string Folder = "heads/";

    private const string Extension = ".json";

    /// <summary>The object that holds it.</summary>
    public static string ObjectName(OrganizationId organization) => Folder + organization.Value + Extension;

    /// <summary>Whose head an object is.</summary>
    public static bool TryParseObjectName(string name, [MaybeNullWhen(false)] out OrganizationId organization)
    {
        organization = default;
        return name.StartsWith(Folder, StringComparison.Ordinal) && name.EndsWith(Extension, StringComparison.Ordinal)
            && OrganizationId.TryParse(name[Folder.Length..^Extension.Length], out organization);
    }
}

/// <summary>What an owner does.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<HeadState>))]
public enum HeadState
{
    /// <summary>It restores <see cref="OrganizationHead.Base"/> and has published nothing yet.</summary>
    [JsonStringEnumMemberName("acquiring")] Acquiring,

    /// <summary>It has published <see cref="OrganizationHead.Current"/>.</summary>
    [JsonStringEnumMemberName("active")] Active,

    /// <summary>It is done; anyone may take the organization.</summary>
    [JsonStringEnumMemberName("released")] Released,
}

/// <summary>Who owns an organization.</summary>
/// <param name="ClusterId">The Orleans cluster.</param>
/// <param name="Silo">The silo's address.</param>
/// <param name="ActivationId">The activation.</param>
/// <param name="DataDirectoryId">Which data folder its files are in; null in heads of before this was known.</param>
public sealed record HeadOwner(string ClusterId, string Silo, string ActivationId, string? DataDirectoryId = null);

/// <summary>A place in the bucket to restore from.</summary>
/// <param name="Epoch">The epoch whose prefix it is in; 0 for a replica that the older system made, which is in none.</param>
/// <param name="Generation">Litestream's generation.</param>
/// <param name="HighWater">What the file's own counter must at least show after a restore.</param>
public sealed record ReplicaReference(long Epoch, string Generation, long HighWater)
{
    /// <summary>The object name prefix of an epoch, without a slash at the end.</summary>
    public static string PrefixOf(string replicaPath, long epoch) =>
        epoch == 0 ? replicaPath : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{replicaPath}/epoch-{epoch:D12}");

    /// <summary>The object name prefix of this replica, without a slash at the end.</summary>
    public string Prefix(string replicaPath) => PrefixOf(replicaPath, Epoch);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(OrganizationHead))]
internal sealed partial class OrganizationHeadJson : JsonSerializerContext;
