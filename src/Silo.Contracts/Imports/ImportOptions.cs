namespace Silo.Contracts.Imports;

/// <summary>How a file of contacts is to be taken in.</summary>
/// <param name="OverwriteExisting">
/// What to do with a row whose contact is there already (by e-mail, or by phone where neither has an e-mail): replace the fields that the
/// file has, or skip the row. Of several such rows in the file the last one counts, else the first.
/// </param>
/// <param name="Strict">One row that breaks a rule fails the whole import.</param>
/// <param name="AgentId">Who looks after the contacts of rows that name nobody; null for nobody. At most 200 characters.</param>
[GenerateSerializer, Immutable, Alias("silo.ImportOptions")]
public sealed record ImportOptions(
    [property: Id(0)] bool OverwriteExisting = false,
    [property: Id(1)] bool Strict = false,
    [property: Id(2)] string? AgentId = null);

/// <summary>What a file of contacts is written in.</summary>
public enum ImportFormat
{
    /// <summary>One array of objects (RFC 8259), <c>application/json</c>.</summary>
    Json,

    /// <summary>One object a line, <c>application/x-ndjson</c>.</summary>
    NdJson,

    /// <summary>A header row and values between commas, semicolons or tabs (RFC 4180), <c>text/csv</c>.</summary>
    Csv,
}
