using Microsoft.Data.Sqlite;
using Silo.Storage.Turso;
using SQLitePCL;

namespace Silo.Storage.Migration;

/// <summary>
/// A prepared statement whose values are bytes on their way in and out: ADO.NET would make strings of texts, and lose what is no UTF-8.
/// </summary>
internal sealed class SqliteRow : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    public SqliteRow(SqliteConnection connection, string sql)
    {
        _database = connection.Handle!;
        Check(raw.sqlite3_prepare_v2(_database, sql, out _statement));
        Columns = raw.sqlite3_column_count(_statement);
    }

    /// <summary>How many values a row has.</summary>
    public int Columns { get; }

    /// <summary>Makes it ready to be run again.</summary>
    public void Reset() => raw.sqlite3_reset(_statement);

    /// <summary>Goes to the next row.</summary>
    public bool Step()
    {
        var result = raw.sqlite3_step(_statement);
        if (result is raw.SQLITE_ROW) return true;
        if (result is raw.SQLITE_DONE) return false;
        SqliteException.ThrowExceptionForRC(result, _database);
        return false;
    }

    /// <summary>Binds a value; parameters are counted from 1.</summary>
    public void Bind(int parameter, CanonicalCell cell) => Check(cell.Type switch
    {
        TursoType.Integer => raw.sqlite3_bind_int64(_statement, parameter, cell.Number),
        TursoType.Real => raw.sqlite3_bind_double(_statement, parameter, BitConverter.Int64BitsToDouble(cell.Number)),
        // Of an empty span there is no address, and SQLite would take it for NULL.
        TursoType.Text when cell.Bytes.IsEmpty => raw.sqlite3_bind_text(_statement, parameter, ""),
        TursoType.Text => raw.sqlite3_bind_text(_statement, parameter, cell.Bytes),
        TursoType.Blob when cell.Bytes.IsEmpty => raw.sqlite3_bind_zeroblob(_statement, parameter, 0),
        TursoType.Blob => raw.sqlite3_bind_blob(_statement, parameter, cell.Bytes),
        _ => raw.sqlite3_bind_null(_statement, parameter),
    });

    /// <summary>Adds the values of the row to others.</summary>
    public void CopyTo(CanonicalRows rows)
    {
        for (var i = 0; i < Columns; i++)
        {
            switch (raw.sqlite3_column_type(_statement, i))
            {
                case raw.SQLITE_INTEGER:
                    rows.Add(raw.sqlite3_column_int64(_statement, i));
                    break;
                case raw.SQLITE_FLOAT:
                    rows.Add(raw.sqlite3_column_double(_statement, i));
                    break;
                case raw.SQLITE_TEXT:
                    rows.AddText(raw.sqlite3_column_blob(_statement, i)); // the bytes of a text, in the encoding of the file, which is UTF-8
                    break;
                case raw.SQLITE_BLOB:
                    rows.AddBlob(raw.sqlite3_column_blob(_statement, i));
                    break;
                default:
                    rows.AddNull();
                    break;
            }
        }
    }

    public void Dispose() => _statement.Dispose();

    private void Check(int result) => SqliteException.ThrowExceptionForRC(result, _database);
}
