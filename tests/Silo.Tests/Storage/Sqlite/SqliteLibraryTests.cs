using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Silo.Storage.Sqlite;
using SQLitePCL;

namespace Silo.Tests.Storage.Sqlite;

public sealed class SqliteLibraryTests
{
    /// <summary>Tests open connections of their own, and the first one decides: it must be as in a host.</summary>
    [ModuleInitializer]
    internal static void BeginAsAHost() => RuntimeHelpers.RunClassConstructor(typeof(SqliteLibrary).TypeHandle);

    [Fact]
    public void Connection_InUse_CountsNoMemory()
    {
        using var connection = SqliteLibrary.Connection(new SqliteConnectionStringBuilder { DataSource = ":memory:", Pooling = false });
        connection.Open();
        connection.Execute("CREATE TABLE t (x)");
        connection.Execute("INSERT INTO t VALUES (randomblob(1000000))");

        Assert.Equal(0, raw.sqlite3_memory_used());
    }
}
