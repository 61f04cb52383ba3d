namespace Silo.Contracts.Contacts;

/// <summary>What a caller says of a contact. <see cref="ContactRules"/> has the limits.</summary>
/// <param name="Name">Required, 1 to 200 characters.</param>
/// <param name="Email">At most 320 characters, shaped like an address; null when there is none.</param>
/// <param name="Phone">At most 40 characters.</param>
/// <param name="Company">At most 200 characters.</param>
/// <param name="Notes">At most 10,000 characters.</param>
/// <param name="AgentId">Who looks after the contact; at most 200 characters.</param>
[GenerateSerializer, Immutable, Alias("silo.ContactFields")]
public sealed record ContactFields(
    [property: Id(0)] string? Name,
    [property: Id(1)] string? Email = null,
    [property: Id(2)] string? Phone = null,
    [property: Id(3)] string? Company = null,
    [property: Id(4)] string? Notes = null,
    [property: Id(5)] string? AgentId = null);
