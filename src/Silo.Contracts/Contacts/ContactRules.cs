using System.Buffers;

namespace Silo.Contracts.Contacts;

/// <summary>
/// The rules for a contact's fields, and the keys by which two contacts count as the same (API.md, "Contacts").
/// One place for single writes and imports alike.
/// </summary>
public static class ContactRules
{
    /// <summary>Longest name, in UTF-16 code units.</summary>
    public const int MaxName = 200;

    /// <summary>Longest e-mail address (RFC 3696, erratum 1690: 64 + 1 + 255).</summary>
    public const int MaxEmail = 320;

    /// <summary>Longest phone number as written.</summary>
    public const int MaxPhone = 40;

    /// <summary>Longest company.</summary>
    public const int MaxCompany = 200;

    /// <summary>Longest notes.</summary>
    public const int MaxNotes = 10_000;

    /// <summary>Longest agent id.</summary>
    public const int MaxAgentId = 200;

    /// <summary>What is said of a text with NUL or with half of a pair of surrogates.</summary>
    public const string NotStorable = "Contains a character that cannot be stored (NUL, or half of a pair).";

    private static readonly SearchValues<char> NotInEmail = SearchValues.Create(" \t\r\n<>(),;:\\\"[]");

    /// <summary>Finds what is wrong with the fields: field name to messages, or null when nothing is.</summary>
    public static Dictionary<string, string[]>? Validate(ContactFields fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        Dictionary<string, string[]>? errors = null;
        if (string.IsNullOrWhiteSpace(fields.Name)) Add("name", "A name is required.");
        CheckText("name", fields.Name, MaxName);
        CheckText("email", fields.Email, MaxEmail);
        CheckText("phone", fields.Phone, MaxPhone);
        CheckText("company", fields.Company, MaxCompany);
        CheckText("notes", fields.Notes, MaxNotes);
        CheckText("agentId", fields.AgentId, MaxAgentId);
        if (fields.Email is { Length: <= MaxEmail } email && !LooksLikeEmail(email)) Add("email", "This is not an e-mail address.");
        return errors;

        void CheckText(string field, string? text, int longest)
        {
            if (text is null) return;
            if (text.Length > longest) Add(field, $"At most {longest:N0} characters; this has {text.Length:N0}.");
            // SQLite ends a text at NUL in many places, and a lone surrogate has no UTF-8 form: neither would come back as it was sent.
            if (text.Contains('\0') || HasLoneSurrogate(text)) Add(field, NotStorable);
        }

        void Add(string field, string message)
        {
            errors ??= new Dictionary<string, string[]>(StringComparer.Ordinal);
            errors[field] = errors.TryGetValue(field, out var others) ? [.. others, message] : [message];
        }
    }

    /// <summary>What two e-mail addresses are compared by: case folded; null when there is no address.</summary>
    public static string? EmailKey(string? email) => email?.ToLowerInvariant();

    /// <summary>What two phone numbers are compared by: the digits and a leading plus; null when there is no digit.</summary>
    public static string? PhoneKey(string? phone)
    {
        if (phone is null) return null;
        Span<char> key = stackalloc char[MaxPhone + 1];
        var length = 0;
        var digits = 0;
        foreach (var c in phone)
        {
            if (length == key.Length) break;
            if (char.IsAsciiDigit(c))
            {
                key[length++] = c;
                digits++;
            }
            else if (c == '+' && length == 0)
            {
                key[length++] = c;
            }
        }
        return digits == 0 ? null : new string(key[..length]);
    }

    private static bool LooksLikeEmail(string email)
    {
        var at = email.IndexOf('@', StringComparison.Ordinal);
        return at is > 0 and <= 64
            && at == email.LastIndexOf('@')
            && at < email.Length - 1
            && !email.AsSpan().ContainsAny(NotInEmail)
            && email[at + 1] != '.' && email[^1] != '.';
    }

    private static bool HasLoneSurrogate(string text)
    {
        for (var i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return true;
            i++;
        }
        return false;
    }
}
