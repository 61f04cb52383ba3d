using System.Globalization;
using Silo.Contracts.Contacts;

namespace Silo.Benchmarks.Data;

/// <summary>The organizations of a run and the contacts that each begins with.</summary>
/// <param name="Organizations">How many organizations.</param>
/// <param name="Contacts">How many contacts each.</param>
internal sealed record SeedPlan(int Organizations, int Contacts)
{
    private const uint Seed = 20261123;

    /// <summary>The id of an organization.</summary>
    public static string Organization(int index) => string.Create(CultureInfo.InvariantCulture, $"org-{index:0000}");

    /// <summary>Its contacts, in the order in which they are added.</summary>
    public IEnumerable<ContactFields> ContactsOf(int index)
    {
        var samples = new ContactSamples(Seed + (uint)index);
        for (var i = 0; i < Contacts; i++) yield return samples.Next(string.Create(CultureInfo.InvariantCulture, $"{Organization(index)}.{i}"));
    }
}
