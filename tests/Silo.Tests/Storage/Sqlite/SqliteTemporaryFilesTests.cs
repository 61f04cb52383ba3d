using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Sqlite;

public sealed class SqliteTemporaryFilesTests
{
    /// <summary>Of the whole process, so it outlives the test; the folder is the one that the run has for such things.</summary>
    [Fact]
    public void Sorting_GoesOnWhereItIsTold()
    {
        SqliteTemporaryFiles.PutInto(Path.GetTempPath());
        using var folder = new TestFolder();
        using var connection = OrgConnection.OpenScratch(folder["scratch.db"]);
        connection.Execute("PRAGMA cache_size = -100");
        using var command = connection.CreateCommand();
        command.CommandText = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i, hex(randomblob(20)) AS h FROM n ORDER BY h";
        using var rows = command.ExecuteReader();
        Assert.True(rows.Read());
        // SQLite unlinks them at once.
        var open = Directory.EnumerateFiles("/proc/self/fd").Select(file => new FileInfo(file).LinkTarget).OfType<string>();
        Assert.Contains(open, target => target.StartsWith(Path.GetTempPath().TrimEnd('/') + "/etilqs_", StringComparison.Ordinal));
    }
}
