namespace Silo.Storage.Turso;

/// <summary>A column of a result.</summary>
/// <param name="Name">Its name; null when the server gives none.</param>
/// <param name="DeclaredType">What the table declares; null for an expression.</param>
public sealed record TursoColumn(string? Name, string? DeclaredType);

/// <summary>What a statement gave.</summary>
/// <param name="Columns">The columns of its rows.</param>
/// <param name="Rows">Its rows, each with a value for each column; at most <see cref="TursoOptions.MaxRows"/>.</param>
/// <param name="AffectedRows">How many rows it inserted, changed or deleted.</param>
/// <param name="LastInsertRowId">The rowid of the last insertion into a table with rowids; null before the first one.</param>
public sealed record TursoResult(IReadOnlyList<TursoColumn> Columns, IReadOnlyList<TursoValue[]> Rows, long AffectedRows, long? LastInsertRowId);

/// <summary>What became of a step of a batch: a result, an error, or neither when its condition did not hold.</summary>
/// <param name="Result">What it gave.</param>
/// <param name="Error">Why it failed.</param>
public sealed record TursoStepResult(TursoResult? Result, TursoException? Error)
{
    /// <summary>Whether its condition did not hold.</summary>
    public bool IsSkipped => Result is null && Error is null;
}
