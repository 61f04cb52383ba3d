using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Silo.Contracts;

namespace Silo.Storage.Copies;

/// <summary>
/// Where the replica of an organization is that was made as a copy of another one: <c>litestream-replicas/_copies/{id}/{digest}</c>. The digest
/// is of what was asked for, so the same request means the same place, however often it is made; and no organization that is not made by it
/// ever looks there (an id does not begin with <c>_</c>).
/// </summary>
internal static class CopyPath
{
    /// <summary>What the paths of all copies begin with.</summary>
    public const string Root = "litestream-replicas/_copies/";

    private const int DigestDigits = 32;
    private const int GenerationDigits = 16;

    /// <summary>The replica path of a copy.</summary>
    public static string Of(OrganizationId source, DateTimeOffset at, OrganizationId target)
    {
        var request = string.Create(CultureInfo.InvariantCulture, $"{source}\n{at.UtcDateTime:O}\n{target}");
        return $"{Root}{target}/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(request)))[..DigestDigits]}";
    }

    /// <summary>The object that has all the rows of a copy until its first owner publishes: a snapshot as the older system has them, in no epoch.</summary>
    public static string SnapshotOf(string replicaPath) => $"{replicaPath}/generations/{GenerationOf(replicaPath)}/snapshots/00000000.snapshot.lz4";

    /// <summary>The generation of that snapshot.</summary>
    public static string GenerationOf(string replicaPath) => replicaPath[^DigestDigits..][..GenerationDigits];

    /// <summary>Whether a replica is that of a copy.</summary>
    public static bool IsOne(string replicaPath) => replicaPath.StartsWith(Root, StringComparison.Ordinal);

    /// <summary>Whose copy a path is of.</summary>
    public static bool TryParse(string replicaPath, out OrganizationId target)
    {
        target = default;
        return IsOne(replicaPath) && replicaPath[Root.Length..].Split('/') is [var id, { Length: DigestDigits }] && OrganizationId.TryParse(id, out target);
    }
}
