using Silo.Contracts;

namespace Silo.Storage.Contacts;

/// <summary>
/// The answers that were asked for last, up to a size. When the young half is full it becomes the old one, and what was in the old one and
/// nobody asked for meanwhile is forgotten. Not thread-safe.
/// </summary>
/// <param name="maxBytes">How much is kept at most, with what each answer costs besides its bytes.</param>
/// <param name="lengthOf">How many characters of text a key has.</param>
internal sealed class RecentAnswers<TKey>(long maxBytes, Func<TKey, int> lengthOf)
    where TKey : notnull
{
    /// <summary>Key, entry and headers, on 64 bits.</summary>
    private const int Overhead = 160;

    private readonly long _half = maxBytes / 2;
    private Dictionary<TKey, JsonBytes> _young = [];
    private Dictionary<TKey, JsonBytes> _old = [];
    private long _youngBytes;
    private long _oldBytes;

    /// <summary>What is kept, in bytes.</summary>
    public long Bytes => _youngBytes + _oldBytes;

    /// <summary>An answer, which is one of the youngest then.</summary>
    public bool TryGet(TKey key, out JsonBytes answer)
    {
        if (_young.TryGetValue(key, out answer)) return true;
        if (!_old.Remove(key, out answer)) return false;
        _oldBytes -= Cost(key, answer);
        Add(key, answer);
        return true;
    }

    /// <summary>Keeps an answer, unless it is too large for a half.</summary>
    public void Add(TKey key, JsonBytes answer)
    {
        var cost = Cost(key, answer);
        if (cost > _half) return;
        if (_youngBytes + cost > _half)
        {
            (_young, _old) = (_old, _young);
            (_oldBytes, _youngBytes) = (_youngBytes, 0);
            _young.Clear();
        }
        if (_young.TryAdd(key, answer)) _youngBytes += cost;
    }

    /// <summary>Forgets an answer.</summary>
    public void Remove(TKey key)
    {
        if (_young.Remove(key, out var answer)) _youngBytes -= Cost(key, answer);
        if (_old.Remove(key, out answer)) _oldBytes -= Cost(key, answer);
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        _young.Clear();
        _old.Clear();
        _youngBytes = _oldBytes = 0;
    }

    private long Cost(TKey key, JsonBytes answer) => Overhead + (sizeof(char) * lengthOf(key)) + (answer.Utf8?.Length ?? 0);
}
