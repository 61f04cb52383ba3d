using Microsoft.Data.Sqlite;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Migration;

/// <summary>
/// A table of the copy while it is made the same as its source, from the first key to the last: where a chunk of the source differs from
/// the rows of the same keys, it takes their place. So the first copy, the catching up with changes and the repair are one and the same.
/// </summary>
internal sealed class TargetTable : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly TableShape _shape;
    private readonly SqliteRow _insert;
    private readonly CanonicalRows _row = new();
    private byte[]? _after;

    public TargetTable(SqliteConnection connection, TableShape shape)
    {
        (_connection, _shape) = (connection, shape);
        _insert = new SqliteRow(connection, shape.Insert());
    }

    /// <summary>Takes the next rows of the source.</summary>
    /// <returns>Whether they were not there yet.</returns>
    public bool Take(RowChunk chunk)
    {
        var (isSame, hasRows) = Compare(chunk);
        if (!isSame)
        {
            _connection.Execute("BEGIN");
            if (hasRows) Delete(chunk.LastRow);
            Insert(chunk);
            _connection.Execute("COMMIT");
        }
        _after = chunk.LastRow.ToArray();
        return !isSame;
    }

    /// <summary>The source has no more rows.</summary>
    /// <returns>Whether there were more here.</returns>
    public bool End()
    {
        Delete([]);
        return _connection.Scalar<long>("SELECT changes()") > 0;
    }

    public void Dispose() => _insert.Dispose();

    private (bool IsSame, bool HasRows) Compare(RowChunk chunk)
    {
        using var here = new SqliteRow(_connection, _shape.Select(_shape.Between(_after is not null, hasHigh: true)));
        BindKeys(here, chunk.LastRow);
        var rest = chunk.Bytes;
        var hasRows = false;
        while (here.Step())
        {
            hasRows = true;
            _row.Clear();
            here.CopyTo(_row);
            if (!rest.StartsWith(_row.Bytes)) return (false, true);
            rest = rest[_row.Bytes.Length..];
        }
        return (rest.IsEmpty, hasRows);
    }

    private void Delete(ReadOnlySpan<byte> lastRow)
    {
        using var delete = new SqliteRow(_connection, _shape.Delete(_shape.Between(_after is not null, !lastRow.IsEmpty)));
        BindKeys(delete, lastRow);
        delete.Step();
    }

    private void Insert(RowChunk chunk)
    {
        var rows = chunk.Bytes;
        while (!rows.IsEmpty)
        {
            for (int cell = 0, parameter = 0; cell < _shape.Cells.Count; cell++)
            {
                var value = CanonicalRows.Next(ref rows);
                if (_shape.IsInsertable(cell)) _insert.Bind(++parameter, value);
            }
            _insert.Step();
            _insert.Reset();
        }
    }

    private void BindKeys(SqliteRow statement, ReadOnlySpan<byte> lastRow)
    {
        var parameter = 0;
        if (_after is not null) BindKey(statement, _after, ref parameter);
        if (!lastRow.IsEmpty) BindKey(statement, lastRow, ref parameter);
    }

    private void BindKey(SqliteRow statement, ReadOnlySpan<byte> row, ref int parameter)
    {
        foreach (var part in _shape.Key)
        {
            var rest = row;
            for (var cell = 0; cell < part.Cell; cell++) CanonicalRows.Next(ref rest);
            statement.Bind(++parameter, CanonicalRows.Next(ref rest));
        }
    }
}
