using System.Collections.Concurrent;
using System.Globalization;

namespace Silo.SystemTests.Machines;

/// <summary>Who writes to an organization keeps book of what was answered, and later compares it with what is there.</summary>
internal sealed class Ledger(string organization)
{
    private enum Outcome
    {
        Unknown,
        Promised,
        Refused,
    }

    private readonly ConcurrentDictionary<string, Outcome> _sent = new();
    private int _last;

    public string Organization => organization;

    /// <summary>Whether what the bucket has not confirmed may stay behind on a disk, where nobody serves it.</summary>
    public bool MayBeSetAside { get; init; }

    /// <summary>How many writes were promised.</summary>
    public int Promised => _sent.Values.Count(outcome => outcome == Outcome.Promised);

    /// <summary>Adds a contact.</summary>
    public async Task<Answer> WriteAsync(Client member, string? durability = null)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{organization}-{Interlocked.Increment(ref _last):D6}");
        _sent[name] = Outcome.Unknown;
        var answer = await member.AddContactAsync(name, durability);
        _sent[name] = (answer.Status, answer.Code) switch
        {
            (_, "durability_unavailable") when MayBeSetAside => Outcome.Unknown,
            (201, _) or (_, "durability_unavailable") => Outcome.Promised,
            (_, "database_unavailable" or "too_many_requests" or "database_moved") => Outcome.Refused,
            _ => Outcome.Unknown,
        };
        return answer;
    }

    /// <summary>Adds contacts one after the other for as long as somebody answers.</summary>
    public async Task WriteUntilGoneAsync(Client member)
    {
        try
        {
            while (true) await WriteAsync(member);
        }
        catch (HttpRequestException)
        {
            // Nobody is there any more; whether the last write came through is not known.
        }
    }

    /// <summary>Every promised write is there, once; nothing is there that was refused or never sent.</summary>
    public async Task CheckAsync(Client member) => Check(await member.NamesAsync());

    public void Check(IReadOnlyList<string> names)
    {
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.Empty(Names(Outcome.Promised).Except(names));
        Assert.Empty(names.Intersect(Names(Outcome.Refused)));
        Assert.Empty(names.Except(_sent.Keys));
    }

    private IEnumerable<string> Names(Outcome outcome) => _sent.Where(entry => entry.Value == outcome).Select(entry => entry.Key);
}
