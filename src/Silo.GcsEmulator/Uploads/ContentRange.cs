using System.Globalization;
using System.Text.RegularExpressions;

namespace Silo.GcsEmulator.Uploads;

/// <summary>
/// The <c>Content-Range</c> of a piece of a resumable upload: <c>bytes a-b/total</c>, <c>bytes a-b/*</c>, <c>bytes a-*/*</c> (all that is
/// left, its length not known) or <c>bytes */total</c> (no bytes: how far are we?).
/// </summary>
internal readonly partial record struct ContentRange(long? First, long? Last, long? Total)
{
    /// <summary>No header: the body is everything.</summary>
    public static readonly ContentRange Everything = new(0, null, null);

    /// <summary>Carries no bytes.</summary>
    public bool IsQuery => First is null;

    /// <summary>The end of the body is the end of the object.</summary>
    public bool EndsWithBody => First is not null && Last is null;

    /// <summary>Where bytes must not go beyond, if it says so.</summary>
    public long? End => Last + 1 ?? Total;

    public static ContentRange Parse(string? header)
    {
        if (string.IsNullOrEmpty(header)) return Everything;
        var match = Pattern().Match(header);
        if (!match.Success) throw GcsRefusal.Invalid($"Failed to parse Content-Range header: '{header}'.");
        var range = new ContentRange(Number(match.Groups["first"]), Number(match.Groups["last"]), Number(match.Groups["total"]));
        if (range.Last < range.First || range.Last >= range.Total) throw GcsRefusal.Invalid($"Impossible Content-Range: '{header}'.");
        return range;
    }

    private static long? Number(Group group) =>
        group.Success && group.Value != "*" ? long.Parse(group.Value, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex(@"\Abytes (?:(?<first>[0-9]{1,18})-(?<last>[0-9]{1,18}|\*)|\*)/(?<total>[0-9]{1,18}|\*)\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
