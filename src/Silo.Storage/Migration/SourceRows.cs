using System.Runtime.CompilerServices;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>
/// The rows of a table on Turso, in the order of their key and chunk by chunk. Each cursor sees one state of the table; one that breaks off
/// is followed by another that goes on after the last row.
/// <para>
/// What JSON cannot say is asked for in another form (with care): each value with its type, a text as its bytes, an infinity as its sign.
/// That is needed for texts that are no UTF-8, at which the server breaks off, and costs up to twice the time, so it begins where it is needed.
/// </para>
/// </summary>
internal sealed class SourceRows(TursoDatabase source, TableShape table, MigrationOptions options, TimeProvider time) : IAsyncDisposable
{
    private readonly RowChunk _chunk = new();
    private IReadOnlyList<KeyValue>? _after;
    private TursoCursor? _cursor;
    private IAsyncEnumerator<TursoValue[]>? _rows;
    private bool _isCareful;

    /// <summary>The rows. Each chunk is to be used before the next one is asked for.</summary>
    public async IAsyncEnumerable<RowChunk> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var isEnded = false; !isEnded;)
        {
            _chunk.Clear();
            isEnded = await FillAsync(cancellationToken);
            if (_chunk.Count > 0) yield return _chunk;
        }
    }

    public ValueTask DisposeAsync() => CloseAsync();

    /// <summary>Fills the chunk, however often the server has to be asked.</summary>
    /// <returns>Whether there are no more rows.</returns>
    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        for (int failures = 0, read = 0; ;)
        {
            try
            {
                _rows ??= await OpenAsync(cancellationToken);
                while (_chunk.Count < options.ChunkRows && _chunk.Bytes.Length < options.ChunkBytes)
                {
                    if (!await _rows.MoveNextAsync()) return true;
                    if (!Take(_rows.Current))
                    {
                        _isCareful = true;
                        await CloseAsync();
                        _rows = await OpenAsync(cancellationToken);
                    }
                }
                return false;
            }
            catch (TursoException e) when (e.IsTransient || e.Failure == TursoFailure.Malformed)
            {
                await CloseAsync();
                failures = _chunk.Count > read ? 1 : failures + 1;
                read = _chunk.Count;
                if (failures >= options.MaxReadFailures) throw;
                // The same row once more: perhaps it is one that has no form in JSON.
                _isCareful |= failures > 1 && e.Failure is TursoFailure.Unanswered or TursoFailure.Malformed;
                await Task.Delay(e.RetryAfter is { } wanted && wanted > options.ReadRetryDelay ? wanted : options.ReadRetryDelay, time, cancellationToken);
            }
        }
    }

    private async Task<IAsyncEnumerator<TursoValue[]>> OpenAsync(CancellationToken cancellationToken)
    {
        var cells = _isCareful ? [.. table.Cells.SelectMany(cell => (string[])[$"typeof({cell})", Careful(cell)])] : table.Cells;
        var where = _after is null ? "" : table.After([.. _after.Select(value => value.Sql)]);
        TursoValue[] arguments = [.. (_after ?? []).Where(value => value.HasArgument).Select(value => value.Argument)];
        _cursor = await source.OpenCursorAsync(new TursoStatement(table.Select(where, cells: cells), arguments), cancellationToken);
        return _cursor.ReadAllAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
    }

    private static string Careful(string cell) =>
        $"CASE typeof({cell}) WHEN 'text' THEN CAST({cell} AS BLOB) WHEN 'real' THEN CASE {cell} WHEN 9e999 THEN 1 WHEN -9e999 THEN -1 ELSE {cell} END ELSE {cell} END";

    /// <summary>Takes a row into the chunk; false when it has to be asked for with care.</summary>
    private bool Take(TursoValue[] row)
    {
        if (_isCareful)
        {
            TakeCareful(row);
            return true;
        }
        foreach (var value in row)
        {
            if (value.IsLostInfinity) return false;
        }
        var rows = _chunk.Add();
        foreach (var value in row) rows.Add(value);
        _after = [.. table.Key.Select(part => new KeyValue("?", row[part.Cell]))];
        return true;
    }

    private void TakeCareful(TursoValue[] row)
    {
        var rows = _chunk.Add();
        for (var i = 0; i < row.Length; i += 2)
        {
            var value = row[i + 1];
            if (IsText(row, i)) rows.AddText(value.AsBlob());
            else if (IsInfinity(row, i)) rows.Add(value.AsInteger() * double.PositiveInfinity);
            else rows.Add(value);
        }
        _after = [.. table.Key.Select(part => KeyOf(row, 2 * part.Cell))];

        static bool IsText(TursoValue[] row, int i) => row[i].AsText() == "text";

        static bool IsInfinity(TursoValue[] row, int i) => row[i].AsText() == "real" && row[i + 1].Type == TursoType.Integer;

        static KeyValue KeyOf(TursoValue[] row, int i) =>
            IsText(row, i) ? new KeyValue("CAST(? AS TEXT)", row[i + 1])
            : IsInfinity(row, i) ? new KeyValue(row[i + 1].AsInteger() > 0 ? "9e999" : "-9e999", default, HasArgument: false)
            : new KeyValue("?", row[i + 1]);
    }

    private async ValueTask CloseAsync()
    {
        if (_rows is { } rows) await rows.DisposeAsync();
        if (_cursor is { } cursor) await cursor.DisposeAsync();
        (_rows, _cursor) = (null, null);
    }

    /// <summary>A part of a key as an argument of SQL.</summary>
    private readonly record struct KeyValue(string Sql, TursoValue Argument, bool HasArgument = true);
}
