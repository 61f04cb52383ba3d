using System.Globalization;
using System.Text;
using Silo.Contracts;
using Silo.Contracts.Contacts;

namespace Silo.Storage.Contacts;

/// <summary>
/// The statements about contacts, written once for every kind of database. What differs between tables is in <see cref="ContactTable"/>;
/// parameters go by name.
/// </summary>
internal sealed class ContactSql(ContactTable table)
{
    /// <summary>The parameters of <see cref="Insert"/> and <see cref="Update"/> in the order of <see cref="Values"/>.</summary>
    public static readonly string[] Written = ["$id", "$name", "$email", "$phone", "$company", "$agent", "$now", "$emailKey", "$phoneKey", "$notes"];

    /// <summary>For our own table.</summary>
    public static readonly ContactSql Own = new(ContactTable.Own);

    /// <summary>A contact as the API shows it, from columns of our names.</summary>
    public static readonly string Json = JsonOf(field => field);

    /// <summary>The table.</summary>
    public ContactTable Table => table;

    /// <summary>One contact, of <c>$id</c>.</summary>
    public string Get => $"SELECT {JsonOf(table.Of)} FROM contacts WHERE {table.IsId}";

    /// <summary>How many there are.</summary>
    public const string Count = "SELECT count(*) FROM contacts";

    /// <summary>A page: its contacts as one JSON array, how many, and the last one's place; of those before <c>$before</c>, at most <c>$limit</c>.</summary>
    public string List => Page(Before);

    /// <summary>The same of those that match <c>$like</c>.</summary>
    public string Search => Page($"{Before} AND {Matches}");

    /// <summary>Whether there are any before <c>$before</c>.</summary>
    public string Older => $"SELECT EXISTS (SELECT 1 FROM contacts WHERE {Before})";

    /// <summary>Whether any of those match <c>$like</c>.</summary>
    public string OlderMatch => $"SELECT EXISTS (SELECT 1 FROM contacts WHERE {Before} AND {Matches})";

    /// <summary>Adds one. Our own table refuses a second one by its indexes; into the older one no row comes then.</summary>
    public string Insert => table.IsOwn
        ? """
          INSERT INTO contacts (id, name, email, phone, company, agent_id, created_at, updated_at, email_key, phone_key, notes)
          VALUES ($id, $name, $email, $phone, $company, $agent, $now, $now, $emailKey, $phoneKey, $notes)
          """
        : LegacyContactSql.Insert(table);

    /// <summary>Replaces one and gives it as it is then.</summary>
    public string Update => $"""
        UPDATE contacts SET {(table.IsOwn
            ? "name = $name, email = $email, phone = $phone, company = $company, agent_id = $agent, updated_at = $now, email_key = $emailKey, phone_key = $phoneKey, notes = $notes"
            : LegacyContactSql.Sets(table))}
        WHERE {table.IsId}{(table.IsOwn ? "" : LegacyContactSql.IsFree(table, butThisOne: true))} RETURNING {JsonOf(table.Of)}
        """;

    /// <summary>Removes one, of <c>$id</c>.</summary>
    public string Delete => $"DELETE FROM contacts WHERE {table.IsId}";

    /// <summary>What <see cref="Written"/> stand for.</summary>
    public static object?[] Values(string id, ContactFields fields, string time) =>
    [
        id, fields.Name, fields.Email, fields.Phone, fields.Company, fields.AgentId, time,
        ContactRules.EmailKey(fields.Email), ContactRules.PhoneKey(fields.Phone), fields.Notes,
    ];

    /// <summary>The pattern of a search.</summary>
    public static string Like(string search) =>
        $"%{search.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal)}%";

    /// <summary>A time as the tables have it.</summary>
    public static string Timestamp(DateTimeOffset now) => now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The answer to <see cref="Count"/>.</summary>
    public static JsonBytes CountJson(long count) => new(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"count\":{count}}}")));

    /// <summary>The refusal of a contact whose keys another one has. One without an e-mail is compared by its phone, any other by its e-mail.</summary>
    public static OrganizationException Exists(ContactFields fields, Exception? cause) => new(
        OrganizationErrorCode.ContactExists,
        fields.Email is null ? "Another contact without an e-mail has this phone number." : "Another contact has this e-mail address.", cause);

    private static string JsonOf(Func<string, string> of) => $"""
        json_object('id', {of("id")}, 'name', {of("name")}, 'email', {of("email")}, 'phone', {of("phone")}, 'company', {of("company")}, 'notes', {of("notes")},
                    'agentId', {of("agent_id")}, 'createdAt', {of("created_at")}, 'updatedAt', {of("updated_at")})
        """;

    private string Before => $"{table.Order} < $before";

    private string Matches =>
        $"({string.Join(" OR ", ((string[])["name", "email", "phone", "company"]).Select(name => $"{table.Of(name)} LIKE $like ESCAPE '\\'"))})";

    private string Page(string condition) => $"""
        SELECT json_group_array({Json}), count(*), min(seq)
        FROM (SELECT {(table.IsOwn ? "*" : string.Join(", ", ContactTable.Fields.Select(field => $"{table.Of(field)} AS {field}").Append($"{table.Order} AS seq")))}
              FROM contacts WHERE {condition} ORDER BY {table.Order} DESC LIMIT $limit)
        """;
}
