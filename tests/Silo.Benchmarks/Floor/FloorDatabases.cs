using System.Collections.Concurrent;
using Silo.Contracts;

namespace Silo.Benchmarks.Floor;

/// <summary>The open databases of the floor: opened by the first request, closed when asked to.</summary>
internal sealed class FloorDatabases(string directory) : IDisposable
{
    private readonly ConcurrentDictionary<OrganizationId, Lazy<FloorDatabase>> _open = new();

    public FloorDatabase Of(OrganizationId organization) => _open.TryGetValue(organization, out var database)
        ? database.Value
        : _open.GetOrAdd(organization, id => new Lazy<FloorDatabase>(() => new FloorDatabase(PathOf(directory, id), id))).Value;

    public bool IsOpen(OrganizationId organization) => _open.ContainsKey(organization);

    public bool Close(OrganizationId organization)
    {
        if (!_open.TryRemove(organization, out var database)) return false;
        database.Value.Dispose();
        return true;
    }

    public void Dispose()
    {
        foreach (var organization in _open.Keys) Close(organization);
    }

    /// <summary>Makes an organization's file with its first contacts.</summary>
    public static void Seed(string directory, OrganizationId organization, IEnumerable<Contracts.Contacts.ContactFields> contacts)
    {
        using var database = new FloorDatabase(PathOf(directory, organization), organization);
        database.Seed(contacts);
    }

    private static string PathOf(string directory, OrganizationId organization) => Path.Combine(directory, $"org-{organization}.db");
}
