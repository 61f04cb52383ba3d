using System.Globalization;

namespace Silo.SystemTests.Faults;

/// <summary>The comparison of one organization: each contact's row, or its absence, against all that was answered about it.</summary>
internal sealed class Judgement(Recorder recorder, HeadHistory heads, Tally tally, string folder, string organization, Action<string> violated)
{
    private readonly Dictionary<Owner, IReadOnlyList<IReadOnlySet<string>>> _files = [];
    private readonly ILookup<Owner, Write> _replicated = recorder.Contacts(organization).SelectMany(contact => contact.Writes)
        .Where(write => write is { Outcome: Outcome.Acknowledged, IsReplicated: true }).OrderBy(write => write.Begin).ToLookup(write => write.Owner);

    public void Of(Contact contact, string? found)
    {
        var writes = contact.Writes;
        foreach (var write in writes) CheckAnswer(write);

        var at = found is null
            ? writes.FindLastIndex(write => write is { Kind: WriteKind.Delete, Outcome: not Outcome.Refused, Fate: not Fate.Gone })
            : writes.FindIndex(write => write.Name == found);
        if (found is not null && at < 0)
        {
            Violated($"'{found}' was never sent");
            return;
        }
        if (at >= 0) CheckPresent(writes[at]);
        foreach (var write in writes.Skip(at + 1).Where(write => write.Fate == Fate.InBucket || write is { Outcome: Outcome.Acknowledged, Fate: Fate.Open })) CheckMissing(write, found);

        // What the bucket has now it must have from now on.
        if (at >= 0) writes[at].Fate = Fate.InBucket;
        foreach (var write in writes.Take(at)) write.Fate = Fate.Gone;
    }

    private void CheckAnswer(Write write)
    {
        if (write.Fate != Fate.Open) return; // it was looked at before
        if (write.Outcome == Outcome.Acknowledged)
        {
            if (write.AskedReplicated && !write.IsReplicated && !write.Answer.Contains("durability_unavailable", StringComparison.Ordinal))
                Violated("it was to be answered when the bucket has it, and was answered without", write);
            if (IsZombie(write)) Zombie("acknowledged", write);
        }
        if (write.MissedContact && write.Contact.Writes[..write.Contact.Writes.IndexOf(write)].FindLast(earlier => earlier.Outcome != Outcome.Refused && earlier.Fate != Fate.Gone)
            is { Kind: not WriteKind.Delete } shown && (shown.IsReplicated || shown.Fate == Fate.InBucket))
            Violated($"the contact was not found, and the bucket has '{shown.Name}'", write);
    }

    private void CheckPresent(Write write)
    {
        if (write.Outcome == Outcome.Refused) Violated("it was refused, and is there", write);
        if (write.Fate == Fate.Gone) Violated("it was gone, or replaced, and came back", write);
        if (write.Fate == Fate.Open && IsZombie(write)) Zombie("restored", write);
    }

    private void CheckMissing(Write write, string? found)
    {
        if (write.IsReplicated || write.Fate == Fate.InBucket) Lost("the bucket had it, and has it no more", write, found);
        else if (IsBehindReplicated(write)) Lost("a later write was answered as being in the bucket, so this one was there too", write, found);
        else if (write.Owner.Losses.Exists(loss => loss >= write.Begin)) tally.LostWithMachine(write.Owner.Losses.First(loss => loss >= write.Begin) - write.End);
        else if (IsOnDisk(write)) tally.SetAside();
        else Lost("it is neither in the bucket nor on the disk of its owner", write, found);
        write.Fate = Fate.Gone;
    }

    /// <summary>Through all of the time in which it can have been done, others owned the organization.</summary>
    private bool IsZombie(Write write) => heads.OthersOwned(
        organization, write.Owner.Name, write.EarliestBegin, write.Outcome == Outcome.Unknown ? heads.SeenTo(organization) : write.End);

    /// <summary>Uploads keep the order of commits: whoever answers that a later one is in the bucket says it of this one too.</summary>
    private bool IsBehindReplicated(Write write) =>
        _replicated[write.Owner].FirstOrDefault(later => later.Begin > write.End) is { } next
        && !write.Owner.Losses.Exists(loss => loss >= write.Begin && loss <= next.End)
        && heads.OwnedThroughout(organization, write.Owner.Name, write.Begin, next.End);

    private bool IsOnDisk(Write write)
    {
        if (!_files.TryGetValue(write.Owner, out var files)) _files[write.Owner] = files = LocalFiles.Read(write.Owner, organization, folder);
        // What came later at its place says that this one had been there: another version, or no contact any more.
        var since = write.Contact.Writes.SkipWhile(other => other != write).ToList();
        var names = since.Select(other => other.Name).OfType<string>().ToList();
        var isDeleted = since.Exists(other => other is { Kind: WriteKind.Delete, Outcome: not Outcome.Refused });
        return files.Any(file => names.Exists(file.Contains) || (isDeleted && !file.Any(name => Contact.KeyOf(name) == write.Contact.Key)));
    }

    private void Zombie(string what, Write write)
    {
        tally.Zombies++;
        Violated($"it was {what}, although others owned the organization all the time: {string.Join(", ", heads.Of(organization).TakeLast(4))}", write);
    }

    private void Lost(string what, Write write, string? found)
    {
        tally.Lost++;
        Violated(string.Create(CultureInfo.InvariantCulture, $"{what} (there is {found ?? "nothing"})"), write);
    }

    private void Violated(string what, Write? write = null) => violated(write is null ? what : $"{what}:\n    {write}");
}
