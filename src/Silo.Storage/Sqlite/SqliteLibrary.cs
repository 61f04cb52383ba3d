using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Silo.Storage.Sqlite;

/// <summary>
/// SQLite itself, as this process uses it. Its own settings count only before its first connection, so all connections are made here.
/// </summary>
internal static class SqliteLibrary
{
    private const int MemoryStatistics = 9; // SQLITE_CONFIG_MEMSTATUS

    static SqliteLibrary()
    {
        Batteries_V2.Init();
        // Nobody reads them, and every allocation of every thread would wait for the one lock that keeps them: JSON is made of
        // allocations. Refused after somebody else's connection, which is slower and no harm.
        _ = raw.sqlite3_config(MemoryStatistics, 0);
    }

    /// <summary>A connection that is not open yet.</summary>
    public static SqliteConnection Connection(SqliteConnectionStringBuilder settings) => new(settings.ToString());
}
