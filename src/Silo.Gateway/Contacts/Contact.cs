namespace Silo.Gateway.Contacts;

/// <summary>
/// A contact as the document at <c>/openapi/v1.json</c> describes it. Its JSON is written in the database; nothing here makes one.
/// </summary>
internal sealed record Contact(
    Guid Id,
    string Name,
    string? Email,
    string? Phone,
    string? Company,
    string? Notes,
    string? AgentId,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt);

/// <summary>A page of contacts as described.</summary>
internal sealed record ContactPage(IReadOnlyList<Contact> Items, string? NextCursor);

/// <summary>The number of contacts as described.</summary>
internal sealed record ContactCount(long Count);
