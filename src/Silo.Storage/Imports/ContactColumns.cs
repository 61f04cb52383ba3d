using System.Text;

namespace Silo.Storage.Imports;

/// <summary>A field of a contact as files name it.</summary>
internal enum ContactColumn
{
    /// <summary>None of ours.</summary>
    Unknown,
    Name,
    FirstName,
    LastName,
    Email,
    Phone,
    Company,
    Notes,
    AgentId,
}

/// <summary>Which fields a file has, by the names that it gives them: in any case, with blanks, hyphens or underscores anywhere.</summary>
internal sealed class ContactColumns
{
    private static readonly Dictionary<string, ContactColumn> Spellings = new(StringComparer.Ordinal)
    {
        ["name"] = ContactColumn.Name,
        ["fullname"] = ContactColumn.Name,
        ["displayname"] = ContactColumn.Name,
        ["contactname"] = ContactColumn.Name,
        ["contact"] = ContactColumn.Name,
        ["firstname"] = ContactColumn.FirstName,
        ["givenname"] = ContactColumn.FirstName,
        ["forename"] = ContactColumn.FirstName,
        ["lastname"] = ContactColumn.LastName,
        ["familyname"] = ContactColumn.LastName,
        ["surname"] = ContactColumn.LastName,
        ["email"] = ContactColumn.Email,
        ["mail"] = ContactColumn.Email,
        ["emailaddress"] = ContactColumn.Email,
        ["phone"] = ContactColumn.Phone,
        ["phonenumber"] = ContactColumn.Phone,
        ["telephone"] = ContactColumn.Phone,
        ["telephonenumber"] = ContactColumn.Phone,
        ["tel"] = ContactColumn.Phone,
        ["mobile"] = ContactColumn.Phone,
        ["mobilephone"] = ContactColumn.Phone,
        ["mobilenumber"] = ContactColumn.Phone,
        ["cellphone"] = ContactColumn.Phone,
        ["company"] = ContactColumn.Company,
        ["companyname"] = ContactColumn.Company,
        ["organization"] = ContactColumn.Company,
        ["organisation"] = ContactColumn.Company,
        ["notes"] = ContactColumn.Notes,
        ["note"] = ContactColumn.Notes,
        ["comment"] = ContactColumn.Notes,
        ["comments"] = ContactColumn.Notes,
        ["remarks"] = ContactColumn.Notes,
        ["agentid"] = ContactColumn.AgentId,
        ["agent"] = ContactColumn.AgentId,
    };

    private readonly HashSet<ContactColumn> _found = [];
    private readonly List<string> _unknown = [];

    /// <summary>Names that are no field of a contact, the first of them.</summary>
    public IReadOnlyList<string> Unknown => _unknown;

    /// <summary>Whether the file names people at all.</summary>
    public bool HasName => Has(ContactColumn.Name) || Has(ContactColumn.FirstName) || Has(ContactColumn.LastName);

    public bool Has(ContactColumn column) => _found.Contains(column);

    /// <summary>Takes note of a name that the file uses.</summary>
    public ContactColumn Add(string name)
    {
        const int MaxUnknown = 50;
        const int MaxUnknownLength = 100;
        var column = Spellings.GetValueOrDefault(Bare(name));
        if (column != ContactColumn.Unknown) _found.Add(column);
        else if (_unknown.Count < MaxUnknown) _unknown.Add(name.Length <= MaxUnknownLength ? name : name[..MaxUnknownLength]);
        return column;
    }

    private static string Bare(string name)
    {
        var bare = new StringBuilder(name.Length);
        foreach (var c in name)
            if (char.IsLetterOrDigit(c)) bare.Append(char.ToLowerInvariant(c));
        return bare.ToString();
    }
}
