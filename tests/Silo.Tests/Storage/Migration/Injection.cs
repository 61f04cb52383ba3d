using System.Globalization;
using Microsoft.Data.Sqlite;
using Silo.Storage.Sqlite;
using SQLitePCL;

namespace Silo.Tests.Storage.Migration;

/// <summary>Differences that are made in a copy behind our back, one at a time and each by chance.</summary>
internal sealed class Injection(int seed)
{
    private const int EnableTriggers = 1003; // SQLITE_DBCONFIG_ENABLE_TRIGGER
    private const int Tries = 200;

    private static readonly string[] Tables =
    [
        "contacts", "anything", "blobs", "reals", "numbers", "texts", "broken_texts", "broken_keys", "infinities", "generated", "without_rowid", "mixed_keys", "counted",
        "composite", "quoted \"name\" [x] ORDER BY 1", "not_an_alias", "parent", "child", "large", "log", "sqlite_sequence", "contacts_fts_data", "documents_data", "documents_idx",
        "documents_content", "documents_docsize", "places_node", "places_rowid",
    ];

    private static readonly string[] Schemas =
    [
        "DROP INDEX contacts_company", "DROP INDEX parent_upper", "DROP VIEW companies", "DROP TRIGGER contacts_ad", "DROP TRIGGER parents_insert", "DROP TABLE empty_table",
        "CREATE TABLE more (a)", "CREATE INDEX more_index ON log (what)", "CREATE VIEW more_view AS SELECT 1", "CREATE TRIGGER more_trigger AFTER INSERT ON log BEGIN SELECT 1; END",
        "PRAGMA user_version = 8", "PRAGMA application_id = 8", "ALTER TABLE log ADD COLUMN more", "ALTER TABLE log RENAME COLUMN what TO that",
        "DROP TABLE empty_table; CREATE TABLE empty_table (b, a)", "DROP TABLE empty_table; CREATE TABLE empty_table (a PRIMARY KEY, b) WITHOUT ROWID",
        "DROP TABLE empty_table; CREATE TABLE empty_table (a, b INTEGER)", "DROP TABLE empty_table; CREATE TABLE empty_table (a COLLATE NOCASE, b)", "DROP TABLE empty_table; CREATE TABLE empty_table (a NOT NULL, b)",
        "DROP INDEX contacts_company; CREATE INDEX contacts_company ON contacts (company COLLATE NOCASE, name) WHERE company IS NOT NULL",
        "DROP INDEX contacts_company; CREATE INDEX contacts_company ON contacts (company COLLATE NOCASE, name DESC)",
        "DROP VIEW companies; CREATE VIEW companies AS SELECT company, count(*) AS contacts FROM contacts GROUP BY 1", "DROP VIEW companies; CREATE TABLE companies (company, contacts)",
        "DROP TRIGGER contacts_log; CREATE TRIGGER contacts_log AFTER UPDATE ON contacts BEGIN SELECT 1; END", "DROP INDEX parent_upper; CREATE INDEX parent_upper ON parent (upper(name))",
        "CREATE TABLE copy AS SELECT b, a FROM generated; DROP TABLE generated; ALTER TABLE copy RENAME TO generated",
    ];

    private static readonly string[] Types =
    [
        "UPDATE anything SET v = 1.0 WHERE typeof(v) = 'integer' AND v = 1", "UPDATE anything SET v = '1' WHERE typeof(v) = 'integer' AND v = 1", "UPDATE anything SET v = x'31' WHERE v = '1'",
        "UPDATE anything SET v = 1 WHERE typeof(v) = 'real' AND v = 1", "UPDATE anything SET v = '' WHERE v IS NULL", "UPDATE anything SET v = NULL WHERE typeof(v) = 'text' AND v = ''",
        "UPDATE anything SET v = x'' WHERE typeof(v) = 'text' AND v = ''", "UPDATE anything SET v = '' WHERE typeof(v) = 'blob' AND length(v) = 0", "UPDATE anything SET v = 'ab' WHERE v = 'a' || char(0) || 'b'",
        "UPDATE anything SET v = v || char(0) WHERE v = 'A'", "UPDATE anything SET v = '' WHERE v = char(0)", "UPDATE anything SET v = -v WHERE typeof(v) = 'real' AND v = 0",
        "UPDATE anything SET v = 0 WHERE typeof(v) = 'real' AND v = 0", "UPDATE anything SET v = 'A' WHERE v = 'a'", "UPDATE anything SET v = 'é' WHERE v = 'e' || char(769)",
        "UPDATE anything SET v = CAST(v AS REAL) WHERE v = 9223372036854775807", "UPDATE anything SET v = v - 1 WHERE typeof(v) = 'integer' AND v = 9007199254740993", "UPDATE anything SET v = substr(v, 2) WHERE v = char(65279) || 'x'",
        "UPDATE infinities SET v = -v WHERE n = 0", "UPDATE infinities SET v = 1.7976931348623157e308 WHERE n = 4", "UPDATE infinities SET v = 5e-324 WHERE n = 2", "UPDATE broken_texts SET v = CAST(v AS BLOB) WHERE n = 3",
        "UPDATE broken_texts SET v = CAST(CAST(v AS TEXT) || x'c3' AS TEXT) WHERE n = 6", "UPDATE texts SET v = lower(v) WHERE v = 'A' COLLATE BINARY", "UPDATE texts SET w = 'a' WHERE v = 'A' COLLATE BINARY",
        "UPDATE without_rowid SET a = upper(a) WHERE a = 'key2' COLLATE BINARY", "UPDATE mixed_keys SET k = CAST(k AS REAL) WHERE typeof(k) = 'integer' AND k = -1", "UPDATE not_an_alias SET rowid = 1 + rowid WHERE rowid = (SELECT max(rowid) FROM not_an_alias)",
        "UPDATE numbers SET rowid = 100000 WHERE rowid = (SELECT max(rowid) FROM numbers)", "UPDATE large SET t = 'b' || substr(t, 2) WHERE n = 0", "UPDATE large SET t = substr(t, 2) WHERE n = 0", "UPDATE anything SET v = v || ' ' WHERE v = 'NULL'",
    ];

    private readonly Random _random = new(seed);
    private int _number;

    /// <summary>Makes a difference.</summary>
    /// <returns>What it is, for messages.</returns>
    public string Into(SqliteConnection copy)
    {
        // One difference, and not what triggers make of it.
        SqliteException.ThrowExceptionForRC(raw.sqlite3_db_config(copy.Handle, EnableTriggers, 0, out _), copy.Handle);
        copy.Execute("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
        var n = _number++;
        if (n < Schemas.Length) return Done(copy, Schemas[n]);
        if (n - Schemas.Length < Types.Length)
        {
            var sql = Types[n - Schemas.Length];
            Assert.True(copy.Execute(sql) > 0, $"changed nothing: {sql}");
            return sql;
        }
        for (var tries = 0; tries < Tries; tries++)
        {
            try
            {
                if (Chance(copy) is { } done) return done;
            }
            catch (SqliteException e) when (e.SqliteErrorCode is raw.SQLITE_CONSTRAINT or raw.SQLITE_MISMATCH)
            {
                // Not possible there: another one.
            }
        }
        throw new InvalidOperationException("No difference could be made.");
    }

    private string? Chance(SqliteConnection copy)
    {
        var table = "\"" + Tables[_random.Next(Tables.Length)].Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
        var count = copy.Scalar<long>($"SELECT count(*) FROM {table}");
        if (count == 0) return null;
        var columns = Columns(copy, table);
        var column = columns[_random.Next(columns.Count)];
        var offset = _random.NextInt64(count);
        var keys = Keys(copy, table);
        var row = string.Create(CultureInfo.InvariantCulture, $"({string.Join(", ", keys)}) IN (SELECT {string.Join(", ", keys)} FROM {table} LIMIT 1 OFFSET {offset})");
        switch (_random.Next(4))
        {
            case 0:
                return copy.Execute($"DELETE FROM {table} WHERE {row}") == 1 ? $"removed row {offset} of {table}" : null;
            case 1:
                return keys is ["rowid"]
                    && copy.Execute($"INSERT INTO {table} (rowid, {string.Join(", ", columns)}) SELECT (SELECT max(rowid) + 1 FROM {table}), {string.Join(", ", columns)} FROM {table} WHERE {row}") == 1 ? $"added row {offset} of {table} once more" : null;
            case 2:
                return Changed(copy, table, column, row, $"(SELECT {column} FROM {table} LIMIT 1 OFFSET {_random.NextInt64(count)})") ? $"row {offset} of {table}: {column} of another row" : null;
            default:
                var change = $"CASE typeof({column}) WHEN 'null' THEN 'x' WHEN 'integer' THEN {column} + 1 WHEN 'real' THEN -{column} WHEN 'text' THEN CAST({column} AS BLOB) ELSE CAST({column} || x'00' AS BLOB) END";
                return Changed(copy, table, column, row, change) ? $"row {offset} of {table}: {column} changed" : null;
        }
    }

    private static bool Changed(SqliteConnection copy, string table, string column, string row, string value)
    {
        var before = State();
        return copy.Execute($"UPDATE {table} SET {column} = {value} WHERE {row}") == 1 && State() != before;

        string? State() => copy.Scalar<string>($"SELECT group_concat(typeof({column}) || quote({column}), '|') FROM {table}");
    }

    private static List<string> Columns(SqliteConnection copy, string table) => Names(copy, $"SELECT name FROM pragma_table_xinfo({Literal(table)}) WHERE hidden = 0");

    private static List<string> Keys(SqliteConnection copy, string table) =>
        copy.Scalar<long>($"SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = {Literal(table)}") == 0
            ? [Columns(copy, table).Contains("\"rowid\"") ? "_rowid_" : "rowid"]
            : Names(copy, $"SELECT name FROM pragma_table_info({Literal(table)}) WHERE pk > 0 ORDER BY pk");

    private static List<string> Names(SqliteConnection copy, string sql)
    {
        using var command = copy.CreateCommand();
        command.CommandText = sql;
        using var rows = command.ExecuteReader();
        var names = new List<string>();
        while (rows.Read()) names.Add("\"" + rows.GetString(0).Replace("\"", "\"\"", StringComparison.Ordinal) + "\"");
        return names;
    }

    private static string Literal(string quoted) => "'" + quoted[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal) + "'";

    private static string Done(SqliteConnection copy, string sql)
    {
        copy.Execute(sql);
        return sql;
    }
}
