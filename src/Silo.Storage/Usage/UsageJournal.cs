using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Catalog;

namespace Silo.Storage.Usage;

/// <summary>
/// The uses on this silo that the catalog does not have yet, and what is known of organizations that are used here or likely to be. Both
/// are bounded; what does not fit is forgotten. Safe for use by many threads.
/// </summary>
public sealed class UsageJournal(OrganizationCatalog catalog, IOptions<WarmUpOptions> options, TimeProvider time)
{
    /// <summary>Uses of one organization that are closer together are one.</summary>
    public static readonly TimeSpan Resolution = TimeSpan.FromSeconds(10);

    /// <summary>The most uses of an organization that wait, an hour's at a minute each; the catalog may be away.</summary>
    private const int MaxWaiting = 60;

    private readonly WarmUpOptions _options = options.Value;
    private readonly ConcurrentDictionary<OrganizationId, List<DateTimeOffset>> _waiting = new();
    private readonly ConcurrentDictionary<OrganizationId, UsageProfile> _known = new();

    /// <summary>How many organizations were used since it was last written down.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>An organization is used now.</summary>
    public void Used(OrganizationId organization)
    {
        if (!_options.Record || (_waiting.Count >= _options.MaxKnown && !_waiting.ContainsKey(organization))) return;
        var uses = _waiting.GetOrAdd(organization, _ => []);
        lock (uses)
        {
            if (uses.Count >= MaxWaiting) uses.RemoveAt(0);
            uses.Add(time.GetUtcNow());
        }
    }

    /// <summary>What is known of an organization; null when nothing is.</summary>
    public UsageProfile? Find(OrganizationId organization) => _known.GetValueOrDefault(organization);

    /// <summary>All that is known.</summary>
    public IEnumerable<KeyValuePair<OrganizationId, UsageProfile>> Known => _known;

    /// <summary>The catalog knows this of an organization.</summary>
    public void Learn(OrganizationId organization, UsageProfile profile)
    {
        _known[organization] = profile;
        if (_known.Count <= _options.MaxKnown) return;
        // A tenth at once, so that it is not sorted for each that comes.
        foreach (var (least, _) in _known.ToArray().OrderBy(known => known.Value.Rank).Take(_options.MaxKnown / 10)) _known.TryRemove(least, out _);
    }

    /// <summary>Writes down what waits, of many organizations at once. What cannot be written waits for the next time.</summary>
    /// <exception cref="CatalogException">The catalog cannot be used.</exception>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        foreach (var batch in _waiting.Chunk(OrganizationCatalog.MaxUsageBatch))
        {
            var taken = batch.ToDictionary(waiting => waiting.Key, waiting => Copy(waiting.Value));
            var known = await catalog.AddUsesAsync(taken, cancellationToken);
            foreach (var (organization, profile) in known) Learn(organization, profile);
            foreach (var (organization, uses) in batch) Written(organization, uses, taken[organization]);
        }
    }

    private static IReadOnlyList<DateTimeOffset> Copy(List<DateTimeOffset> uses)
    {
        lock (uses) return [.. uses];
    }

    private void Written(OrganizationId organization, List<DateTimeOffset> uses, IReadOnlyList<DateTimeOffset> taken)
    {
        lock (uses)
        {
            // Only those: others may have come meanwhile, and pushed some of them out.
            uses.RemoveAll(taken.Contains);
            if (uses.Count == 0) _waiting.TryRemove(new KeyValuePair<OrganizationId, List<DateTimeOffset>>(organization, uses));
        }
    }
}
