namespace Silo.SystemTests.Faults;

/// <summary>
/// Decides, from what the bucket holds and what was answered, whether the promises were kept. It takes nothing from the owners:
/// who owned what comes from the heads, what is there from a restore by hand.
/// </summary>
internal sealed class Checker(Recorder recorder, HeadHistory heads, Tally tally, string folder)
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

    private void Violated(string organization, string what) => _violations.Add($"{organization}: {what}");
}
