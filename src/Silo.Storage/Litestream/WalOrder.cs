namespace Silo.Storage.Litestream;

/// <summary>
/// Tells which of two WALs of a database came first. A WAL is known only by its salt, and salts are random, so each is
/// numbered when the file is first seen with it. Not thread-safe.
/// </summary>
internal sealed class WalOrder
{
    /// <summary>How many are remembered: far more than are in flight between a commit and its upload.</summary>
    private const int MaxRemembered = 256;

    private readonly List<(ulong Salt, int Number)> _seen = [];
    private int _last;

    /// <summary>The number of a WAL that a commit of ours went to, given the salt that the file has now.</summary>
    public int Of(ulong salt, ulong current)
    {
        var now = Number(current);
        // A WAL that was not seen while it was the current one was restarted between the commit and this call: it comes just before.
        return salt == current ? now : Find(salt) ?? now - 1;
    }

    /// <summary>The number of a WAL that a piece was uploaded from; 0, before all, when it is not known.</summary>
    public int OfUploaded(ulong salt, ulong current)
    {
        var now = Number(current);
        return salt == 0 ? 0 : salt == current ? now : Find(salt) ?? 0;
    }

    private int Number(ulong current)
    {
        if (Find(current) is { } known) return known;
        // By twos, which leaves a number between any two.
        _last += 2;
        _seen.Add((current, _last));
        if (_seen.Count > MaxRemembered) _seen.RemoveAt(0);
        return _last;
    }

    private int? Find(ulong salt)
    {
        for (var i = _seen.Count - 1; i >= 0; i--)
        {
            if (_seen[i].Salt == salt) return _seen[i].Number;
        }
        return null;
    }
}
