using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Silo.Contracts;

namespace Silo.Storage.Contacts;

/// <summary>
/// Where a page ended, as clients carry it, behind a mark of its form: the <c>seq</c> of its last contact in hexadecimal, or of a table that
/// is sorted by a text (<see cref="ContactTable.Order"/>) that text in base64url.
/// </summary>
internal static class ContactCursor
{
    private const char Mark = 's';
    private const char TextMark = 't';
    private const int MaxText = 2_000;

    public static string Format(long seq) => Mark + seq.ToString("x", CultureInfo.InvariantCulture);

    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/>: not a cursor of ours.</exception>
    public static long Parse(string cursor) =>
        cursor.Length is > 1 and <= 17 && cursor[0] == Mark
        && long.TryParse(cursor.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var seq) && seq > 0
            ? seq
            : throw Foreign();

    public static string Format(string key) => TextMark + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(key));

    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/>: not a cursor of ours.</exception>
    public static string ParseText(string cursor)
    {
        if (cursor.Length is < 2 or > MaxText || cursor[0] != TextMark || !Base64Url.IsValid(cursor.AsSpan(1))) throw Foreign();
        return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor.AsSpan(1)));
    }

    private static OrganizationException Foreign() =>
        new(OrganizationErrorCode.InvalidRequest, "The cursor is none that this service gave out. Leave it out to begin at the first page.");
}
