namespace Silo.Contracts;

/// <summary>
/// JSON text as UTF-8, written once where the rows are and passed through untouched: in one process by reference,
/// between processes as one block. Nobody changes the array after it was made.
/// </summary>
/// <param name="Utf8">The text; null stands for "no such thing".</param>
[GenerateSerializer, Immutable, Alias("silo.JsonBytes")]
public readonly record struct JsonBytes([property: Id(0)] byte[]? Utf8);
