using System.Runtime.CompilerServices;

namespace Silo.Storage.Turso;

/// <summary>
/// The rows of a statement, one at a time as they come from the server. To be read once, by one reader, and disposed of; one that is not
/// read to its end ends its connection.
/// </summary>
public sealed class TursoCursor : IAsyncDisposable
{
    private readonly IAsyncEnumerable<TursoValue[]> _rows;
    private Func<ValueTask> _close;
    private bool _isRead;
    private bool _isClosed;

    internal TursoCursor(IReadOnlyList<TursoColumn> columns, IAsyncEnumerable<TursoValue[]> rows, Func<ValueTask> close) =>
        (Columns, _rows, _close) = (columns, rows, close);

    /// <summary>The columns of the rows.</summary>
    public IReadOnlyList<TursoColumn> Columns { get; }

    /// <summary>The rows, each with a value for each column. The end is reached only when the server has said that there are no more.</summary>
    /// <exception cref="TursoException">It failed, and the rows so far are not all. Nothing is asked again by itself from here on.</exception>
    public async IAsyncEnumerable<TursoValue[]> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (_isRead) throw new InvalidOperationException("The rows are read once.");
        _isRead = true;
        await foreach (var row in _rows.WithCancellation(cancellationToken)) yield return row;
        IsAtEnd = true;
    }

    /// <summary>Whether all rows were read.</summary>
    internal bool IsAtEnd { get; private set; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        if (_isClosed) return ValueTask.CompletedTask;
        _isClosed = true;
        return _close();
    }

    /// <summary>The same cursor, with more to do when it is disposed of.</summary>
    internal TursoCursor AndThen(Func<TursoCursor, ValueTask> close)
    {
        var first = _close;
        _close = async () =>
        {
            await first();
            await close(this);
        };
        return this;
    }
}
