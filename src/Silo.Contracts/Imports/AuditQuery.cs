namespace Silo.Contracts.Imports;

/// <summary>One page of an organization's audit trail, newest first.</summary>
/// <param name="Limit">How many, 1 to 500.</param>
/// <param name="Cursor">Where the page before this one ended (its <c>nextCursor</c>); null for the first page.</param>
[GenerateSerializer, Immutable, Alias("silo.AuditQuery")]
public readonly record struct AuditQuery([property: Id(0)] int Limit, [property: Id(1)] string? Cursor);
