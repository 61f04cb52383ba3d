namespace Silo.SystemTests.Faults;

/// <summary>A contact as its only writer sees it: a row of versions, one for each write that was sent.</summary>
internal sealed class Contact(string organization, int number)
{
    public string Organization => organization;

    /// <summary>Begins every name that it ever has.</summary>
    public string Key { get; } = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{organization}-{number:D6}");

    /// <summary>What it carries besides its name when it is created.</summary>
    public string? Notes { get; init; }

    /// <summary>Known once its creation was answered.</summary>
    public string? Id { get; set; }

    /// <summary>What was sent, one after the other.</summary>
    public List<Write> Writes { get; } = [];

    /// <summary>Its writer knows what became of every write and may go on from there.</summary>
    public bool IsClear => Id is not null && Writes[^1] is { Outcome: Outcome.Acknowledged, Kind: not WriteKind.Delete };

    /// <summary>The key in a name of some contact.</summary>
    public static string KeyOf(string name) => name.Split('.')[0];
}

internal enum WriteKind
{
    Create,
    Replace,
    Delete,
}

internal enum Outcome
{
    /// <summary>No answer, or one that leaves open what happened.</summary>
    Unknown,

    /// <summary>Done, as far as <see cref="Write.IsReplicated"/> says.</summary>
    Acknowledged,

    /// <summary>Not done.</summary>
    Refused,
}

/// <summary>What a comparison with the bucket has shown for good.</summary>
internal enum Fate
{
    Open,

    /// <summary>The bucket has it, or had it and a later version has replaced it: from here on it can only be replaced.</summary>
    InBucket,

    /// <summary>It is lost where it may be lost, was counted, and does not come back.</summary>
    Gone,
}

/// <summary>One request that changes a contact, and what was answered.</summary>
internal sealed class Write(Contact contact, WriteKind kind, Owner owner, bool replicated, TimeSpan begin)
{
    public Contact Contact => contact;

    public WriteKind Kind => kind;

    /// <summary>The name that the contact has afterwards, unlike any other; null for a deletion.</summary>
    public string? Name { get; } = kind == WriteKind.Delete ? null : $"{contact.Key}.{contact.Writes.Count}";

    public Owner Owner => owner;

    /// <summary>Whether it asked to be answered only when the bucket has it.</summary>
    public bool AskedReplicated => replicated;

    public TimeSpan Begin => begin;

    public TimeSpan End { get; set; } = TimeSpan.MaxValue;

    public Outcome Outcome { get; set; }

    /// <summary>Status, code and durability as they were answered; or what the client saw instead.</summary>
    public string Answer { get; set; } = "";

    /// <summary>Whether it was answered that the bucket has it.</summary>
    public bool IsReplicated { get; set; }

    public Fate Fate { get; set; }

    /// <summary>Whether this was answered because the contact was not there.</summary>
    public bool MissedContact => Outcome == Outcome.Refused && Answer.Contains("contact_not_found", StringComparison.Ordinal);

    /// <summary>No earlier moment at which the owner can have read the request: a frozen one reads nothing.</summary>
    public TimeSpan EarliestBegin => owner.Freezes.Where(freeze => freeze.Begin <= begin && begin < (freeze.End ?? TimeSpan.MaxValue))
        .Select(freeze => freeze.End ?? TimeSpan.MaxValue).DefaultIfEmpty(begin).Max();

    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{begin.TotalSeconds,9:0.000} {(End == TimeSpan.MaxValue ? "       -" : $"{End.TotalSeconds,9:0.000}")} {owner.Name} {kind} {Name ?? contact.Key} {(replicated ? "replicated" : "local")} -> {Outcome} ({Answer}) {Fate}");
}
