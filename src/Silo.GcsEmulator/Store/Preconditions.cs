using System.Globalization;

namespace Silo.GcsEmulator.Store;

/// <summary>The four conditions under which a request may go on. An object that does not exist has generation 0.</summary>
internal readonly record struct Preconditions(
    long? GenerationMatch, long? GenerationNotMatch, long? MetagenerationMatch, long? MetagenerationNotMatch)
{
    /// <summary>From a query: <c>ifGenerationMatch</c> and so on, or <c>ifSourceGenerationMatch</c> for the source of a copy.</summary>
    public static Preconditions FromQuery(IQueryCollection query, string subject = "if") => query.Count == 0 ? default : new(
        Number(query[subject + "GenerationMatch"], subject + "GenerationMatch"),
        Number(query[subject + "GenerationNotMatch"], subject + "GenerationNotMatch"),
        Number(query[subject + "MetagenerationMatch"], subject + "MetagenerationMatch"),
        Number(query[subject + "MetagenerationNotMatch"], subject + "MetagenerationNotMatch"));

    /// <summary>From the headers of an XML request.</summary>
    public static Preconditions FromHeaders(IHeaderDictionary headers) => new(
        Number(headers["x-goog-if-generation-match"], "x-goog-if-generation-match"),
        null,
        Number(headers["x-goog-if-metageneration-match"], "x-goog-if-metageneration-match"),
        null);

    /// <summary>Refuses with 412 when a change must not be made.</summary>
    public void RequireForChange(long generation, long metageneration)
    {
        if (!Matches(generation, metageneration) || !NotMatches(generation, metageneration)) throw GcsRefusal.ConditionNotMet();
    }

    /// <summary>Refuses a read with 412, or with 304 when the caller said that it has this state already.</summary>
    public void RequireForRead(long generation, long metageneration)
    {
        if (!Matches(generation, metageneration)) throw GcsRefusal.ConditionNotMet();
        if (!NotMatches(generation, metageneration)) throw GcsRefusal.NotModified();
    }

    private bool Matches(long generation, long metageneration) =>
        (GenerationMatch is not { } g || g == generation)
        && (MetagenerationMatch is not { } m || (generation != 0 && m == metageneration));

    private bool NotMatches(long generation, long metageneration) =>
        (GenerationNotMatch is not { } g || (generation != 0 && g != generation))
        && (MetagenerationNotMatch is not { } m || (generation != 0 && m != metageneration));

    private static long? Number(string? text, string parameter)
    {
        if (string.IsNullOrEmpty(text)) return null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw GcsRefusal.Invalid($"Invalid value for '{parameter}': '{text}'.");
    }
}
