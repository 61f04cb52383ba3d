using Silo.Contracts;
using Silo.Contracts.Contacts;

namespace Silo.Storage.Contacts;

/// <summary>
/// Answers to reads of one database, as the bytes that clients get, until a write changes what they say. Whoever owns the database makes
/// all writes of it, and so knows of each. Thread-safe.
/// </summary>
/// <remarks>
/// What was kept is what SQLite would answer at that moment. Before a write begins, what it may change is dropped, and nothing is kept
/// that a read found before its commit has ended: so nobody is told the state before a write once somebody has seen the one behind it.
/// </remarks>
/// <param name="maxBytes">How much is kept at most, half of it contacts and half pages; 0 for nothing.</param>
internal sealed class ContactCache(long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly RecentAnswers<string> _contacts = new(maxBytes / 2, static id => id.Length);
    private readonly RecentAnswers<ContactListQuery> _pages = new(maxBytes / 2, static query => (query.Cursor?.Length ?? 0) + (query.Search?.Length ?? 0));
    private JsonBytes _count;
    private long _state; // goes up when a write begins, and again when it has ended: odd in between
    private bool _isClosed;

    /// <summary>A contact, if it was kept.</summary>
    public bool TryGet(string id, out JsonBytes contact)
    {
        lock (_lock) return _contacts.TryGet(id, out contact);
    }

    /// <summary>A page, if it was kept.</summary>
    public bool TryGet(ContactListQuery query, out JsonBytes page)
    {
        lock (_lock) return _pages.TryGet(query, out page);
    }

    /// <summary>How many contacts there are, if that was kept.</summary>
    public bool TryGetCount(out JsonBytes count)
    {
        lock (_lock)
        {
            count = _count;
            return count.Utf8 is not null;
        }
    }

    /// <summary>To be asked before a read begins.</summary>
    /// <returns>What its answer is to be kept with.</returns>
    public long Begin()
    {
        lock (_lock) return _state;
    }

    /// <summary>Keeps a contact, unless a write began or ended since the read began, or there is none: whoever asks for ids that do not exist fills nothing.</summary>
    public void Keep(long begun, string id, JsonBytes contact)
    {
        lock (_lock)
        {
            if (MayKeep(begun) && contact.Utf8 is not null) _contacts.Add(id, contact);
        }
    }

    /// <summary>Keeps a page, unless a write began or ended since the read began.</summary>
    public void Keep(long begun, ContactListQuery query, JsonBytes page)
    {
        lock (_lock)
        {
            if (MayKeep(begun)) _pages.Add(query, page);
        }
    }

    /// <summary>Keeps how many contacts there are, unless a write began or ended since they were counted.</summary>
    public void KeepCount(long begun, JsonBytes count)
    {
        lock (_lock)
        {
            if (MayKeep(begun)) _count = count;
        }
    }

    /// <summary>A write is about to begin. One at a time.</summary>
    /// <param name="contacts">The ids of the contacts that it changes; null when any may be.</param>
    /// <returns>To be disposed when it has ended, well or not; until then nothing is kept.</returns>
    public Change BeginChange(IReadOnlyList<string>? contacts)
    {
        lock (_lock)
        {
            _state++;
            _pages.Clear();
            _count = default;
            if (contacts is null) _contacts.Clear();
            else foreach (var id in contacts) _contacts.Remove(id);
        }
        return new Change(this);
    }

    /// <summary>Forgets everything and keeps nothing more: the database is put away, and what it would answer is another owner's to say.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            _contacts.Clear();
            _pages.Clear();
            _count = default;
        }
    }

    private bool MayKeep(long begun) => maxBytes > 0 && !_isClosed && begun == _state && (begun & 1) == 0;

    /// <summary>A write that goes on.</summary>
    public readonly struct Change(ContactCache cache) : IDisposable
    {
        public void Dispose()
        {
            lock (cache._lock) cache._state++;
        }
    }
}
