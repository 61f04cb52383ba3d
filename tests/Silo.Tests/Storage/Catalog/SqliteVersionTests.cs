using Microsoft.Data.Sqlite;

namespace Silo.Tests.Storage.Catalog;

public sealed class SqliteVersionTests
{
    // 3.51.3 fixed the bug that can lose commits when two processes reset the WAL at the same time.
    [Fact]
    public void SqliteVersion_OfTheBundledLibrary_HasTheWalResetFix()
    {
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT sqlite_version()";
        Assert.True(Version.Parse((string)command.ExecuteScalar()!) >= new Version(3, 51, 3), $"SQLite is {command.ExecuteScalar()}");
    }
}
