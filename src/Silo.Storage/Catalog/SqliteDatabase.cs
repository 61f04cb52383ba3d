using System.Data.Common;
using DbUp;
using DbUp.Sqlite.Helpers;
using Microsoft.Data.Sqlite;
using Silo.Storage.Sqlite;
using SQLitePCL;

namespace Silo.Storage.Catalog;

/// <summary>A file of SQLite's, on a local disk; it and its folder are made when there are none.</summary>
internal sealed class SqliteDatabase(string connection, string role, string setting, TimeSpan busyTimeout) : SharedDatabase(role, setting)
{
    private readonly string _settings = Settings(connection, busyTimeout).ConnectionString;

    public override string Name => new SqliteConnectionStringBuilder(_settings).DataSource;

    /// <summary>The connection string with every setting that is not given at this system's default.</summary>
    /// <exception cref="ArgumentException">It is none of SQLite's.</exception>
    public static SqliteConnectionStringBuilder Settings(string connection, TimeSpan busyTimeout)
    {
        var settings = Parse(connection);
        if (settings.DataSource.Length > 0) settings.DataSource = Path.GetFullPath(settings.DataSource);
        settings.DefaultTimeout = (int)busyTimeout.TotalSeconds;
        return settings;
    }

    /// <summary>A connection string of SQLite's, or a path alone.</summary>
    /// <exception cref="ArgumentException">It is none of SQLite's.</exception>
    public static SqliteConnectionStringBuilder Parse(string connection) => connection.Contains('=', StringComparison.Ordinal)
        ? new SqliteConnectionStringBuilder(connection)
        : new SqliteConnectionStringBuilder { DataSource = connection };

    internal override IReadOnlySet<string> Columns(DbConnection connection, string table)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT name FROM pragma_table_info(@table)";
        command.Add("@table", table);
        return command.ReadNames();
    }

    private protected override DbConnection Connection() => Open(pooled: true);

    /// <remarks>
    /// All of it is one <c>BEGIN IMMEDIATE</c> transaction: of two processes that start at once the second waits and then finds nothing
    /// to do, and a crash in the middle leaves the file as it was.
    /// </remarks>
    private protected override IReadOnlyList<string> Migrate(MigrationScripts scripts)
    {
        using var connection = Open(pooled: false);
        connection.Open();
        // WAL lets lookups go on while a row is added. It cannot be switched on inside a transaction.
        connection.Execute("PRAGMA journal_mode = WAL");
        connection.Execute("BEGIN IMMEDIATE");
        try
        {
            using var shared = new SharedConnection(connection);
            var result = DeployChanges.To.SqliteDatabase(shared)
                .WithScripts(scripts.Read())
                .WithPreprocessor(new ExistingColumns(this, connection))
                .WithVariablesDisabled()
                .JournalToSqliteTable(scripts.Journal)
                .LogToNowhere()
                .Build()
                .PerformUpgrade();
            if (!result.Successful) throw result.Error;
            scripts.Finish?.Invoke(this, connection);
            connection.Execute("COMMIT");
            return [.. result.Scripts.Select(script => script.Name)];
        }
        catch
        {
            // SQLite may have rolled back by itself (disk full); a second ROLLBACK would hide why.
            if (raw.sqlite3_get_autocommit(connection.Handle) == 0) connection.Execute("ROLLBACK");
            throw;
        }
    }

    private protected override (CatalogFailure Failure, string Remedy)? Explain(Exception failure) => failure switch
    {
        IOException or UnauthorizedAccessException => Explain(CatalogFailure.Unreachable),
        SqliteException e => Explain(FailureOf(e.SqliteErrorCode)),
        _ => null,
    };

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        using var pooled = Unopened(pooled: true);
        SqliteConnection.ClearPool(pooled);
    }

    private SqliteConnection Open(bool pooled)
    {
        if (Path.GetDirectoryName(Name) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
        return Unopened(pooled);
    }

    // The pool goes by the text of the settings: what it is cleared with must be what its connections were opened with.
    private SqliteConnection Unopened(bool pooled) => SqliteLibrary.Connection(new SqliteConnectionStringBuilder(_settings) { Pooling = pooled });

    private static (CatalogFailure, string) Explain(CatalogFailure failure) => (failure, failure switch
    {
        CatalogFailure.Unreachable => "Check that the folder exists and that this process may write in it, or correct {setting}.",
        CatalogFailure.Damaged => "The file is damaged or no SQLite database: restore it from a backup, or correct {setting}.",
        CatalogFailure.Full => "Free space on its disk.",
        CatalogFailure.Busy => "Another process has been changing it for longer than Catalog:BusyTimeout: end that one, or try again.",
        _ => "It is not as this version expects: run the migrations, and see the cause.",
    });

    internal static CatalogFailure FailureOf(int code) => code switch
    {
        raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_AUTH or raw.SQLITE_IOERR => CatalogFailure.Unreachable,
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => CatalogFailure.Damaged,
        raw.SQLITE_FULL => CatalogFailure.Full,
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => CatalogFailure.Busy,
        _ => CatalogFailure.Unexpected,
    };
}
