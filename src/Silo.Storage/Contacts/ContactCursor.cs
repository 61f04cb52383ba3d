using System.Globalization;
using Silo.Contracts;

namespace Silo.Storage.Contacts;

/// <summary>Where a page ended, as clients carry it: the <c>seq</c> of its last contact in hexadecimal behind a mark of its form.</summary>
internal static class ContactCursor
{
    private const char Mark = 's';

    public static string Format(long seq) => Mark + seq.ToString("x", CultureInfo.InvariantCulture);

    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.InvalidRequest"/>: not a cursor of ours.</exception>
    public static long Parse(string cursor) =>
        cursor.Length is > 1 and <= 17 && cursor[0] == Mark
        && long.TryParse(cursor.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var seq) && seq > 0
            ? seq
            : throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "The cursor is none that this service gave out. Leave it out to begin at the first page.");
}
