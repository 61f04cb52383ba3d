using System.Globalization;
using System.Text.RegularExpressions;

namespace Silo.SystemTests.Faults;

/// <summary>
/// Decides, from what the bucket holds and what was answered, whether the promises were kept. It takes nothing from the owners:
/// who owned what comes from the heads, what is there from a restore by hand.
/// </summary>
internal sealed partial class Checker(Recorder recorder, HeadHistory heads, Tally tally, string folder)
{
    private readonly List<string> _violations = [];

    /// <summary>What was found to be broken, in words; empty is good.</summary>
    public IReadOnlyList<string> Violations => _violations;

    /// <summary>Compares an organization, to which nobody writes at present, with its restored rows.</summary>
    public void Check(string organization, IReadOnlyList<(string Id, string Name)> restored)
    {
        var contacts = recorder.Contacts(organization).ToDictionary(contact => contact.Key);
        var found = new Dictionary<string, string>();
        foreach (var (id, name) in restored)
        {
            if (!contacts.TryGetValue(Contact.KeyOf(name), out var contact)) Violated(organization, $"'{name}' is in the bucket, and nobody wrote it to this organization");
            else if (!found.TryAdd(contact.Key, name)) Violated(organization, $"'{name}' is there beside '{found[contact.Key]}'");
            else if (contact.Id is { } known && known != id) Violated(organization, $"'{name}' has the id {id} and not {known}");
        }

        var judgement = new Judgement(recorder, heads, tally, folder, organization, what => Violated(organization, what));
        foreach (var contact in contacts.Values) judgement.Of(contact, found.GetValueOrDefault(contact.Key));
    }

    /// <summary>Looks whether an organization's objects are each in the place of the epoch that published them, where no other owner writes or deletes.</summary>
    public void CheckPlaces(string organization, IReadOnlyList<string> objects)
    {
        foreach (var folder in objects.Select(name => ReplicaFolder.Match(name)).Where(match => match.Success).Select(match => (Epoch: long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), Generation: match.Groups[2].Value)).Distinct())
            if (heads.EpochOf(folder.Generation) is { } published && published != folder.Epoch) Violated(organization, $"generation {folder.Generation} was published in epoch {published} and is in the place of epoch {folder.Epoch}");
    }

    [GeneratedRegex("/epoch-([0-9]+)/generations/([0-9a-f]+)/")]
    private static partial Regex ReplicaFolder { get; }

    private void Violated(string organization, string what) => _violations.Add($"{organization}: {what}");
}
