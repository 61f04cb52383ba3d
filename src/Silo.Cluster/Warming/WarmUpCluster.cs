using System.Security.Cryptography;
using System.Text;
using Silo.Contracts;

namespace Silo.Cluster.Warming;

/// <summary>What warming up must know of the cluster.</summary>
/// <param name="Self">This silo's address.</param>
/// <param name="Silos">The addresses of all that are active now.</param>
/// <param name="HasRoom">Whether the silo that would get the next database has room for one that nobody has asked for.</param>
internal sealed record WarmUpCluster(string Self, Func<IReadOnlyCollection<string>> Silos, Func<bool> HasRoom)
{
    /// <summary>
    /// Whether this silo is the one that warms an organization up. All that see the same silos agree; while they do not, two may do it,
    /// which does no harm. Where it is opened is the placement's to say.
    /// </summary>
    public bool IsMine(OrganizationId organization, IReadOnlyCollection<string> silos) =>
        silos.Count <= 1 || silos.MaxBy(silo => BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes($"{silo} {organization}")))) == Self;
}
