namespace Silo.Contracts.Contacts;

/// <summary>The answer to a write.</summary>
/// <param name="Contact">The contact as it is now; no text after a deletion.</param>
/// <param name="Id">Its id.</param>
/// <param name="Durability">How far the write has come.</param>
[GenerateSerializer, Immutable, Alias("silo.ContactWritten")]
public readonly record struct ContactWritten(
    [property: Id(0)] JsonBytes Contact,
    [property: Id(1)] string Id,
    [property: Id(2)] Durability Durability);
