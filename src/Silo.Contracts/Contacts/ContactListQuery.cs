namespace Silo.Contracts.Contacts;

/// <summary>One page of contacts, newest first.</summary>
/// <param name="Limit">How many, 1 to <see cref="MaxLimit"/>.</param>
/// <param name="Cursor">Where the page before this one ended (its <c>nextCursor</c>); null for the first page.</param>
/// <param name="Search">Part of a name, e-mail, phone or company; null for all.</param>
[GenerateSerializer, Immutable, Alias("silo.ContactListQuery")]
public readonly record struct ContactListQuery(
    [property: Id(0)] int Limit,
    [property: Id(1)] string? Cursor,
    [property: Id(2)] string? Search)
{
    /// <summary>The page size when none is asked for.</summary>
    public const int DefaultLimit = 50;

    /// <summary>The largest page.</summary>
    public const int MaxLimit = 500;

    /// <summary>The longest search text, in characters.</summary>
    public const int MaxSearch = 200;
}
