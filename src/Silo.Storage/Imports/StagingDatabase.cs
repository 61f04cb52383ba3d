using System.Text;
using Microsoft.Data.Sqlite;
using Silo.Contracts.Contacts;
using Silo.Storage.Sqlite;
using SQLitePCL;

namespace Silo.Storage.Imports;

/// <summary>
/// The valid rows of a file in a database of their own, beside the organization's, with one row left of those that stand for the same
/// contact. Nothing in it outlives the import: it has no journal.
/// </summary>
internal sealed class StagingDatabase : IDisposable
{
    private const string Schema = """
        CREATE TABLE rows (row INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, company TEXT, agent_id TEXT, email_key TEXT, phone_key TEXT, notes TEXT);
        CREATE TABLE matches (row INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
        """;

    private readonly SqliteConnection _connection;
    private sqlite3_stmt? _insert;
    private byte[] _utf8 = new byte[1024];

    /// <summary>Makes an empty one.</summary>
    /// <param name="path">A file that does not exist yet; its folder does.</param>
    /// <exception cref="SqliteException">The disk refuses.</exception>
    public StagingDatabase(string path)
    {
        Path = path;
        _connection = OrgConnection.OpenScratch(path);
        _connection.Execute(Schema);
        _connection.Execute("BEGIN");
        Check(raw.sqlite3_prepare_v2(_connection.Handle, "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", out _insert));
    }

    /// <summary>Its file.</summary>
    public string Path { get; }

    /// <summary>Adds a row.</summary>
    /// <exception cref="SqliteException">The disk refuses.</exception>
    public void Add(long row, ContactFields fields)
    {
        // The raw interface: parameters as ADO.NET has them make a million rows take twice as long.
        var statement = _insert!;
        raw.sqlite3_bind_int64(statement, 1, row);
        Bind(2, fields.Name);
        Bind(3, fields.Email);
        Bind(4, fields.Phone);
        Bind(5, fields.Company);
        Bind(6, fields.AgentId);
        Bind(7, ContactRules.EmailKey(fields.Email));
        Bind(8, ContactRules.PhoneKey(fields.Phone));
        Bind(9, fields.Notes);
        var code = raw.sqlite3_step(statement);
        raw.sqlite3_reset(statement);
        if (code != raw.SQLITE_DONE) Check(code);
    }

    /// <summary>Leaves one of the rows that stand for the same contact, and closes the file.</summary>
    /// <param name="isLastKept">The last one; otherwise the first.</param>
    /// <returns>How many rows are left, and how many are not.</returns>
    /// <exception cref="SqliteException">The disk refuses.</exception>
    public (long Left, long Removed) Finish(bool isLastKept)
    {
        _insert!.Dispose();
        _insert = null;
        var kept = isLastKept ? "max(row)" : "min(row)";
        _connection.Execute("CREATE INDEX rows_email ON rows (email_key) WHERE email_key IS NOT NULL");
        _connection.Execute("CREATE INDEX rows_phone ON rows (phone_key) WHERE email_key IS NULL AND phone_key IS NOT NULL");
        var removed = _connection.Execute($"""
            DELETE FROM rows WHERE row IN (
              SELECT r.row FROM (SELECT email_key AS k, {kept} AS kept FROM rows WHERE email_key IS NOT NULL GROUP BY email_key HAVING count(*) > 1) d
              JOIN rows r ON r.email_key = d.k AND r.row <> d.kept)
            """);
        removed += _connection.Execute($"""
            DELETE FROM rows WHERE row IN (
              SELECT r.row FROM (SELECT phone_key AS k, {kept} AS kept FROM rows WHERE email_key IS NULL AND phone_key IS NOT NULL GROUP BY phone_key HAVING count(*) > 1) d
              JOIN rows r ON r.phone_key = d.k AND r.email_key IS NULL AND r.row <> d.kept)
            """);
        var left = _connection.Scalar<long>("SELECT count(*) FROM rows");
        _connection.Execute("COMMIT");
        _connection.Dispose();
        return (left, removed);
    }

    public void Dispose()
    {
        _insert?.Dispose();
        _connection.Dispose();
    }

    private void Bind(int parameter, string? text)
    {
        if (text is null)
        {
            raw.sqlite3_bind_null(_insert, parameter);
            return;
        }
        var most = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (most > _utf8.Length) _utf8 = new byte[most];
        var length = Encoding.UTF8.GetBytes(text, _utf8);
        raw.sqlite3_bind_text(_insert, parameter, _utf8.AsSpan(0, length));
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(code, _connection.Handle);
    }
}
