using Silo.Contracts.Contacts;

namespace Silo.Benchmarks.Data;

/// <summary>Contacts from a fixed seed: the same number gives the same contacts, on every machine and in every run.</summary>
internal sealed class ContactSamples(uint seed)
{
    private static readonly string[] First = Words("Ada Bo Cleo Dan Eva Finn Gil Hana Ivo Jun Kim Lea Mio Nia Ole Pia Quin Rui Sia Tom Uma Vic Wen Xia Yan Zoe");
    private static readonly string[] Last =
        Words("Abel Brandt Costa Duarte Eriksen Fischer Garcia Haddad Ito Jansen Kovacs Lindqvist Moreau Novak Okafor Petrov Rossi Silva Tanaka Weber");
    private static readonly string[] Firms = Words("Alder Birch Cedar Dune Ember Fjord Grove Harbor Iris Juniper Kelp Lumen Maple Nimbus");
    private static readonly string[] Notes = Words(
        "call again next week about the renewal of their plan and send a short offer with two options asked for an invoice copy met at the fair wants a demo prefers mail");

    private uint _state = seed;

    /// <summary>The next contact.</summary>
    /// <param name="unique">What makes its e-mail address differ from every other one of the organization.</param>
    public ContactFields Next(string unique)
    {
        var (first, last) = (Pick(First), Pick(Last));
        var length = 40 + Below(160);
        var notes = Pick(Notes);
        while (notes.Length < length) notes += " " + Pick(Notes);
        var email = $"{first}.{last}.{unique}@example.test".ToLowerInvariant();
        return new ContactFields($"{first} {last}", email, $"+1-555-{Below(10_000_000):0000000}", $"{Pick(Firms)} & {Pick(Firms)} Ltd", notes);
    }

    /// <summary>A whole number from 0 to below a bound.</summary>
    public int Below(int bound) => (int)((ulong)NextBits() * (ulong)bound >> 32);

    private string Pick(string[] from) => from[Below(from.Length)];

    // Mulberry32: small, fast, and the same in every language.
    private uint NextBits()
    {
        _state += 0x6D2B79F5;
        var t = (_state ^ (_state >> 15)) * (1 | _state);
        t = (t + ((t ^ (t >> 7)) * (61 | t))) ^ t;
        return t ^ (t >> 14);
    }

    private static string[] Words(string text) => text.Split(' ');
}
