using System.Text;
using Silo.Contracts.Contacts;

namespace Silo.Storage.Contacts;

/// <summary>
/// What writing into the older system's table takes besides: it has no keys to compare contacts by, so every write compares, in the very
/// statement that writes. libSQL runs one writing statement at a time, so of two that would make the same contact one comes to nothing.
/// </summary>
internal static class LegacyContactSql
{
    /// <summary>The index that finds an address; an index changes nothing that others see.</summary>
    private const string EmailIndex = "silo_email_lower";

    private static readonly (string Field, string Parameter)[] Values =
    [
        ("name", "$name"), ("email", "$email"), ("phone", "$phone"), ("company", "$company"), ("agent_id", "$agent"), ("updated_at", "$now"), ("notes", "$notes"),
    ];

    /// <summary>What is added to a table before it is first written to, once. Columns are added only where a write needs them, and without a default.</summary>
    public static IEnumerable<string> Preparation(ContactTable table)
    {
        foreach (var field in (string[])["name", "created_at", "updated_at"])
            if (!table.TryGetColumn(field, out _)) yield return AddColumn(field);
        if (table is { NeedsAddedId: true, HasAddedId: false })
        {
            yield return AddColumn(ContactTable.AddedId);
            yield return $"CREATE UNIQUE INDEX IF NOT EXISTS silo_contact_id ON contacts ({ContactTable.AddedId})";
        }
        if (table.TryGetColumn("email", out var email)) yield return $"CREATE INDEX IF NOT EXISTS {EmailIndex} ON contacts (lower({ContactTable.Quote(email.Name)}))";
    }

    /// <summary>The columns that these fields need and the table does not have.</summary>
    public static IEnumerable<string> MissingFor(ContactTable table, ContactFields fields)
    {
        (string Field, string? Value)[] optional =
            [("email", fields.Email), ("phone", fields.Phone), ("company", fields.Company), ("agent_id", fields.AgentId), ("notes", fields.Notes)];
        return optional.Where(value => value.Value is not null && !table.TryGetColumn(value.Field, out _)).Select(value => AddColumn(value.Field));
    }

    /// <summary>Adds a contact unless one of its id, its e-mail, or its phone is there.</summary>
    public static string Insert(ContactTable table)
    {
        var (columns, values) = Inserted(table, parameter => parameter);
        return $"""
            INSERT INTO contacts ({columns}) SELECT {values}
            WHERE NOT EXISTS (SELECT 1 FROM contacts WHERE {table.IsId}){IsFree(table, butThisOne: false)}
            """;
    }

    /// <summary>The columns that a new contact has values for, and those.</summary>
    /// <param name="table">The table.</param>
    /// <param name="of">What stands for a parameter.</param>
    public static (string Columns, string Values) Inserted(ContactTable table, Func<string, string> of)
    {
        List<string> columns = [table.IdColumn];
        List<string> values = [of("$id")];
        foreach (var (field, parameter) in Values.Append(("created_at", "$now")))
        {
            if (!table.TryGetColumn(field, out var column) || column.IsGenerated) continue;
            columns.Add(ContactTable.Quote(column.Name));
            values.Add(Value(column, of(parameter)));
        }
        foreach (var column in table.Required)
        {
            columns.Add(ContactTable.Quote(column.Name));
            values.Add(RequiredValue(column) is LegacyContactNames.OrganizationMark ? "$organization" : $"'{RequiredValue(column)?.Replace("'", "''", StringComparison.Ordinal)}'");
        }
        return (string.Join(", ", columns), string.Join(", ", values));
    }

    /// <summary>What an update sets.</summary>
    public static string Sets(ContactTable table) => Sets(table, parameter => parameter, _ => true);

    /// <summary>What an update of some fields sets.</summary>
    /// <param name="table">The table.</param>
    /// <param name="of">What stands for a parameter.</param>
    /// <param name="isSet">Whether a field is set.</param>
    public static string Sets(ContactTable table, Func<string, string> of, Func<string, bool> isSet) => string.Join(", ", Values.Where(value => isSet(value.Field))
        .Select(value => (Column: table.TryGetColumn(value.Field, out var column) && !column.IsGenerated ? column : null, value.Parameter))
        .Where(value => value.Column is not null)
        .Select(value => $"{ContactTable.Quote(value.Column!.Name)} = {Value(value.Column, of(value.Parameter))}"));

    /// <summary>
    /// The condition that no (other) contact has the e-mail, or the phone if neither has an e-mail, as <see cref="ContactRules"/> compares them.
    /// </summary>
    public static string IsFree(ContactTable table, bool butThisOne)
    {
        var other = butThisOne ? $" AND ({table.IsId}) IS NOT TRUE" : "";
        var hasEmail = table.TryGetColumn("email", out var email);
        var address = hasEmail ? $"lower({ContactTable.Quote(email!.Name)})" : "NULL";
        var condition = new StringBuilder();
        if (hasEmail)
        {
            // lower() of SQLite knows the letters of ASCII only; $emailGlob, for an address that has others, names each of those in all its cases.
            condition.Append(
                $"""

                AND NOT EXISTS (SELECT 1 FROM contacts WHERE {address} = $emailKey{other})
                AND NOT ($emailGlob IS NOT NULL AND EXISTS (SELECT 1 FROM contacts WHERE {address} GLOB $emailGlob{other}))
                """);
        }
        if (table.TryGetColumn("phone", out var phone))
        {
            // The pattern is there to look closely at few: it has the key's characters in their order.
            condition.Append(
                $"""

                AND NOT ($emailKey IS NULL AND $phoneKey IS NOT NULL AND EXISTS (SELECT 1 FROM contacts
                  WHERE ({address} IS NULL OR {address} = '') AND {ContactTable.Quote(phone.Name)} LIKE $phoneLike AND {PhoneKey(phone)} = $phoneKey{other}))
                """);
        }
        return condition.ToString();
    }

    /// <summary>
    /// The condition that a contact has the e-mail of <c>$emailKey</c>, or no e-mail and the phone of <c>$phoneKey</c>; if nothing else tells, by
    /// <c>$wasEmail</c> and <c>$wasPhone</c>, which are what it had when it was found by them.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="of">What stands for a parameter.</param>
    public static string IsOf(ContactTable table, Func<string, string> of)
    {
        var (email, phone) = (table.Of("email"), table.Of("phone"));
        var isSamePhone = table.TryGetColumn("phone", out var column) ? $"({phone} IS {of("$wasPhone")} OR {PhoneKey(column)} = {of("$phoneKey")})" : "false";
        return $"""
            CASE WHEN {of("$emailKey")} IS NULL THEN {email} IS NULL AND {isSamePhone}
              ELSE {email} IS {of("$wasEmail")} OR lower({email}) = {of("$emailKey")} END
            """;
    }

    /// <summary>The value of <c>$emailGlob</c>: null for an address of ASCII, which <c>$emailKey</c> finds.</summary>
    public static string? EmailGlob(string? email)
    {
        if (email is null || System.Text.Ascii.IsValid(email)) return null;
        var glob = new StringBuilder();
        foreach (var rune in ContactRules.EmailKey(email)!.EnumerateRunes())
        {
            var letter = rune.ToString();
            var upper = Rune.ToUpperInvariant(rune).ToString();
            glob.Append(rune.IsAscii && !"*?[".Contains(letter, StringComparison.Ordinal) ? letter : $"[{letter}{(upper == letter ? "" : upper)}]");
        }
        return glob.ToString();
    }

    /// <summary>The value of <c>$phoneLike</c>.</summary>
    public static string? PhoneLike(string? phone) => ContactRules.PhoneKey(phone) is { } key ? $"%{string.Join('%', key.ToCharArray())}%" : null;

    /// <summary>What a new contact gets in a column that must have a value; null when nobody knows.</summary>
    public static string? RequiredValue(TableColumn column) =>
        LegacyContactNames.Current.Required.FirstOrDefault(known => known.Key.Equals(column.Name, StringComparison.OrdinalIgnoreCase)).Value;

    private static string AddColumn(string name) => $"ALTER TABLE contacts ADD COLUMN {name} TEXT";

    /// <summary>Where the older table refuses NULL, the empty text stands for none, as it does when read.</summary>
    private static string Value(TableColumn column, string parameter) => column.IsNotNull ? $"coalesce({parameter}, '')" : parameter;

    /// <summary><see cref="ContactRules.PhoneKey"/> in SQL: the digits, with a plus that comes before them.</summary>
    private static string PhoneKey(TableColumn phone) => $"""
        (WITH RECURSIVE silo_rest(rest, key) AS (
           SELECT CAST({ContactTable.Quote(phone.Name)} AS TEXT), ''
           UNION ALL
           SELECT substr(rest, 2), key || CASE WHEN substr(rest, 1, 1) BETWEEN '0' AND '9' OR (substr(rest, 1, 1) = '+' AND key = '') THEN substr(rest, 1, 1) ELSE '' END
           FROM silo_rest WHERE rest <> '')
         SELECT substr(key, 1, {ContactRules.MaxPhone + 1}) FROM silo_rest WHERE rest = '')
        """;
}
