using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Contacts;

namespace Silo.Gateway.Contacts;

/// <summary>The query parameter <c>limit</c> of every list.</summary>
internal static class PageLimit
{
    /// <summary>Reads it; the default when there is none.</summary>
    public static int Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return ContactListQuery.DefaultLimit;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= ContactListQuery.MaxLimit
            ? limit
            : throw new OrganizationException(OrganizationErrorCode.InvalidRequest, $"'limit' is a whole number from 1 to {ContactListQuery.MaxLimit}.");
    }
}
