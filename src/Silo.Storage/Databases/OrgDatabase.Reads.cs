using Silo.Contracts;
using Silo.Contracts.Contacts;

namespace Silo.Storage.Databases;

/// <summary>Reads are answered from what was kept of earlier ones, or else by SQLite, on a connection of their own.</summary>
public sealed partial class OrgDatabase
{
    /// <summary>A page of contacts, newest first.</summary>
    public ValueTask<JsonBytes> ListAsync(ContactListQuery query, CancellationToken cancellationToken) => Counted(_cache.TryGet(query, out var page)) ? new(page) : _readers.ReadAsync(
        query.Search is null ? DatabaseOperation.List : DatabaseOperation.Search, (_cache, query), static (reader, read) =>
        {
            var begun = read._cache.Begin();
            var page = reader.List(read.query);
            read._cache.Keep(begun, read.query, page);
            return page;
        }, cancellationToken);

    /// <summary>One contact; no text when there is none of this id.</summary>
    public ValueTask<JsonBytes> GetAsync(string id, CancellationToken cancellationToken) => Counted(_cache.TryGet(id, out var contact)) ? new(contact) : _readers.ReadAsync(
        DatabaseOperation.Get, (_cache, id), static (reader, read) =>
        {
            var begun = read._cache.Begin();
            var contact = reader.Get(read.id);
            read._cache.Keep(begun, read.id, contact);
            return contact;
        }, cancellationToken);

    /// <summary>How many contacts there are.</summary>
    public ValueTask<JsonBytes> CountAsync(CancellationToken cancellationToken) => Counted(_cache.TryGetCount(out var count)) ? new(count) : _readers.ReadAsync(
        DatabaseOperation.Count, _cache, static (reader, cache) =>
        {
            var begun = cache.Begin();
            var count = reader.Count();
            cache.KeepCount(begun, count);
            return count;
        }, cancellationToken);

    private bool Counted(bool isKept)
    {
        _metrics.LookedUp(isKept);
        return isKept;
    }
}
