namespace Silo.Storage.Migration;

/// <summary>What a migration finds before it copies anything.</summary>
/// <param name="Source">The address of the Turso database.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Tables">Its tables and how many rows they have.</param>
/// <param name="Objects">How many tables, indexes, views and triggers it has.</param>
/// <param name="Problems">What SQLite would not take, or what is in our way; with any, nothing is copied.</param>
/// <param name="Notes">What is worth knowing.</param>
public sealed record MigrationPreflight(
    string Source, long Bytes, IReadOnlyList<TableRows> Tables, int Objects, IReadOnlyList<string> Problems, IReadOnlyList<string> Notes)
{
    /// <summary>How many rows there are in all.</summary>
    public long Rows => Tables.Sum(table => table.Rows);
}

/// <summary>How many rows a table has.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Rows">How many.</param>
public sealed record TableRows(string Table, long Rows);

/// <summary>What a pass over all tables did.</summary>
/// <param name="Rows">How many rows it read.</param>
/// <param name="ChangedTables">The tables of which something was not there yet.</param>
public sealed record MigrationPass(long Rows, IReadOnlyList<string> ChangedTables);

/// <summary>Whether a copy is the same as its source, table by table.</summary>
/// <param name="Tables">What was compared.</param>
/// <param name="Differences">What is not the same, a sentence each; none proves the copy.</param>
/// <param name="Notes">What is no difference, but worth knowing: references to missing rows, which the source has too.</param>
public sealed record MigrationVerification(IReadOnlyList<TableComparison> Tables, IReadOnlyList<string> Differences, IReadOnlyList<string> Notes)
{
    /// <summary>Whether everything is the same.</summary>
    public bool IsSame => Differences.Count == 0;
}

/// <summary>A table on both sides.</summary>
/// <param name="Table">Its name on Turso.</param>
/// <param name="Source">What it is there.</param>
/// <param name="Copy">What it is here; null when it is missing.</param>
public sealed record TableComparison(string Table, TableDigest Source, TableDigest? Copy);

/// <summary>How far a pass has come.</summary>
/// <param name="Table">The table that it is at.</param>
/// <param name="Rows">How many rows of all tables are done.</param>
public readonly record struct MigrationProgress(string Table, long Rows);
