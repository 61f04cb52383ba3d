using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Silo.Gateway.Authentication;

/// <summary>
/// The tokens that were found good a moment ago, by the whole <c>Authorization</c> header: the check of a signature then costs a
/// look-up. Kestrel hands out the same string for the same header on one connection, so nothing is cut out of it or hashed by SHA.
/// </summary>
internal sealed class TokenCache(IOptions<AuthOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly int _capacity = options.Value.CachedTokens;
    private readonly TimeSpan _cacheTime = options.Value.CacheTime;
    private int _count; // ConcurrentDictionary.Count takes every lock

    /// <summary>Finds the caller of a token that is still good.</summary>
    public bool TryGet(string authorization, [NotNullWhen(true)] out Caller? caller)
    {
        caller = _entries.TryGetValue(authorization, out var entry) && entry.Expires > time.GetUtcNow() ? entry.Caller : null;
        return caller is not null;
    }

    /// <summary>Remembers a token until its end, or for the cache time if that is shorter.</summary>
    public void Add(string authorization, Caller caller, DateTimeOffset validTo)
    {
        var now = time.GetUtcNow();
        var expires = validTo - now < _cacheTime ? validTo : now + _cacheTime;
        if (expires <= now || _capacity == 0) return;
        if (Volatile.Read(ref _count) >= _capacity) MakeRoom(now);
        var entry = new Entry(caller, expires);
        if (_entries.TryAdd(authorization, entry)) Interlocked.Increment(ref _count);
        else _entries[authorization] = entry;
    }

    // Expired tokens go first; if all are still good, all go: each is then checked once more, which is what a full cache costs.
    private void MakeRoom(DateTimeOffset now)
    {
        lock (_entries)
        {
            if (Volatile.Read(ref _count) < _capacity) return;
            foreach (var (token, entry) in _entries)
            {
                if (entry.Expires <= now) Remove(token);
            }
            if (Volatile.Read(ref _count) < _capacity) return;
            foreach (var (token, _) in _entries) Remove(token);
        }

        void Remove(string token)
        {
            if (_entries.TryRemove(token, out _)) Interlocked.Decrement(ref _count);
        }
    }

    private sealed record Entry(Caller Caller, DateTimeOffset Expires);
}
