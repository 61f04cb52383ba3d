using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Silo.Storage.Sqlite;

/// <summary>
/// Opens connections to an organization's file: one that writes, any number that can only read. Neither is ever pooled, since
/// a connection that stays open behind our back would keep a deleted file alive.
/// </summary>
/// <remarks>
/// Nothing else in this process may open and close the database file or its <c>-shm</c>: closing any descriptor of a file
/// drops all of the process's POSIX locks on it (fcntl(2)). The <c>-wal</c> file carries no locks and may be read.
/// </remarks>
internal static class OrgConnection
{
    private const int EnableQpsg = 1007; // SQLITE_DBCONFIG_ENABLE_QPSG

    /// <summary>
    /// Bytes of a page of a new file; one that exists keeps its own. Every commit puts each page that it changed into the WAL, whole, and
    /// Litestream copies, compresses and uploads it: an insert changes three or four, so small pages make it cheap.
    /// </summary>
    public const string NewPageSize = "1024";

    // Automatic checkpoints are off, since only Litestream may checkpoint: frames that it has not copied would be gone.
    private const string WriterPragmas = $"""
        PRAGMA page_size = {NewPageSize};
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA busy_timeout = 5000;
        PRAGMA foreign_keys = ON;
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -2000;
        """;

    private const string ReaderPragmas = """
        PRAGMA query_only = ON;
        PRAGMA busy_timeout = 5000;
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -1000;
        """;

    private const string SourcePragmas = """
        PRAGMA busy_timeout = 5000;
        PRAGMA synchronous = OFF;
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -8000;
        """;

    // Whatever happens to it, it is made again.
    private const string ScratchPragmas = """
        PRAGMA journal_mode = OFF;
        PRAGMA synchronous = OFF;
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA temp_store = FILE;
        PRAGMA cache_size = -8000;
        """;

    /// <summary>Opens the writing connection, and makes the file if there is none.</summary>
    public static SqliteConnection OpenWriter(string path) => Open(path, SqliteOpenMode.ReadWriteCreate, WriterPragmas);

    /// <summary>Opens a connection that reads beside the writer.</summary>
    public static SqliteConnection OpenReader(string path) => Open(path, SqliteOpenMode.ReadWrite, ReaderPragmas);

    /// <summary>
    /// Opens a connection that copies a database which others use. It can write nothing but the copy, for which it waits for no disk:
    /// a copy that a power cut breaks is made again.
    /// </summary>
    public static SqliteConnection OpenSource(string path) => Open(path, SqliteOpenMode.ReadOnly, SourcePragmas);

    /// <summary>Makes a file of one use that no other connection opens meanwhile, and that needs to survive nothing.</summary>
    public static SqliteConnection OpenScratch(string path) => Open(path, SqliteOpenMode.ReadWriteCreate, ScratchPragmas);

    /// <summary>Opens a file that nobody writes to, without its WAL and without leaving a trace beside it.</summary>
    public static SqliteConnection OpenImmutable(string path) => Open($"file:{Uri.EscapeDataString(path)}?immutable=1", SqliteOpenMode.ReadOnly, "PRAGMA query_only = ON");

    private static SqliteConnection Open(string path, SqliteOpenMode mode, string pragmas)
    {
        var connection = SqliteLibrary.Connection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false });
        try
        {
            connection.Open();
            // Without the planner's stability guarantee, SQLite looks at the value bound to LIMIT and compiles the statement
            // anew each time it is bound (6,700 pages of 50 a second instead of 7,950).
            SqliteException.ThrowExceptionForRC(raw.sqlite3_db_config(connection.Handle, EnableQpsg, 1, out _), connection.Handle);
            connection.Execute(pragmas);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
