namespace Silo.GcsEmulator.Store;

/// <summary>What a list request asks for.</summary>
internal sealed record ListQuery(
    string Prefix = "", string Delimiter = "", string StartOffset = "", string EndOffset = "",
    string PageToken = "", int MaxResults = ListQuery.PageLimit, bool IncludeTrailingDelimiter = false)
{
    /// <summary>The largest page, as in GCS.</summary>
    public const int PageLimit = 1000;
}

/// <summary>One page: objects, rolled-up prefixes and where the next page begins.</summary>
internal sealed record ListPage(List<StoredObject> Objects, List<string> Prefixes, string? NextPageToken);
