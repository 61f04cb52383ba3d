using System.Globalization;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Http;

/// <summary>
/// Reads the query of a list request. What would change the answer and is not supported is refused, not ignored;
/// Google's Go client sends every parameter, empty when not meant.
/// </summary>
internal static class ListParameters
{
    private static readonly string[] Unsupported = ["matchGlob", "softDeleted", "includeFoldersAsPrefixes", "filter"];

    public static ListQuery Read(IQueryCollection query)
    {
        foreach (var parameter in Unsupported)
        {
            if ((string?)query[parameter] is not (null or "" or "false")) throw GcsRefusal.Unsupported(parameter);
        }
        return new ListQuery(
            (string?)query["prefix"] ?? "",
            (string?)query["delimiter"] ?? "",
            (string?)query["startOffset"] ?? "",
            (string?)query["endOffset"] ?? "",
            (string?)query["pageToken"] ?? "",
            MaxResults(query["maxResults"]),
            query["includeTrailingDelimiter"] == "true");
    }

    private static int MaxResults(string? text)
    {
        if (string.IsNullOrEmpty(text)) return ListQuery.PageLimit;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var asked) || asked < 1)
            throw GcsRefusal.Invalid($"Invalid value for 'maxResults': '{text}'.");
        return Math.Min(asked, ListQuery.PageLimit);
    }
}
