using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;

namespace Silo.Cluster.Databases;

/// <summary>The activations of this silo.</summary>
internal sealed class ActiveDatabases(IOptions<DatabaseOptions> options)
{
    private readonly ConcurrentDictionary<OrganizationId, OrgActivation> _activations = new();

    /// <summary>How many have their files open.</summary>
    public int OpenCount => _activations.Values.Count(activation => activation.Database is not null);

    /// <summary>The organizations whose files had to stay on this machine when they were put away.</summary>
    public ConcurrentBag<OrganizationId> Kept { get; } = [];

    public IEnumerable<OrgActivation> All => _activations.Values;

    public OrgActivation? Find(OrganizationId organization) => _activations.GetValueOrDefault(organization);

    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the silo is full.</exception>
    public void Add(OrgActivation activation)
    {
        if (_activations.Values.Count(other => other != activation && other.State != DatabaseState.Unavailable) >= options.Value.MaxActive)
        {
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "This silo holds as many databases as it may (Database:MaxActive).")
            {
                RetryAfter = TimeSpan.FromSeconds(5),
            };
        }
        _activations[activation.Organization] = activation;
    }

    /// <summary>Removes an activation, unless another one of the organization has taken its place.</summary>
    public void Remove(OrgActivation activation) =>
        _activations.TryRemove(new KeyValuePair<OrganizationId, OrgActivation>(activation.Organization, activation));
}
