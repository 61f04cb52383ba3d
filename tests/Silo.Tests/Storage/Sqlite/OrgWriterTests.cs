using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Sqlite;

public sealed class OrgWriterTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MeasureWal_FollowsCommitsAndRestarts()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        Assert.Equal(0, writer.MeasureWal().Frames);

        writer.Connection.Execute("CREATE TABLE t (x)");
        var first = writer.MeasureWal();
        writer.Connection.Execute("INSERT INTO t VALUES (1)");
        var second = writer.MeasureWal();
        Assert.Equal(first.Salt, second.Salt);
        Assert.True(second.Frames > first.Frames);
        Assert.Equal(new FileInfo(_folder["a.db-wal"]).Length, second.Bytes);

        using (var other = OrgConnection.OpenWriter(_folder["a.db"])) other.Execute("PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (2)");
        var restarted = writer.MeasureWal();
        Assert.NotEqual(second.Salt, restarted.Salt);
        Assert.Equal(WalPosition.ReadSalt(_folder["a.db-wal"]), restarted.Salt);
        Assert.Equal(1, restarted.Frames);
    }

    [Fact]
    public void MeasureWal_ChangesNothing()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        writer.Connection.Execute("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
        var before = File.ReadAllBytes(_folder["a.db"]);
        writer.MeasureWal();
        Assert.Equal(before, File.ReadAllBytes(_folder["a.db"]));
    }

    [Fact]
    public void Transact_AStatementFails_ChangesNothingAndTheNextOneIsDone()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        writer.Connection.Execute("CREATE TABLE t (x UNIQUE)");
        var before = writer.MeasureWal();
        Assert.Throws<Microsoft.Data.Sqlite.SqliteException>(() => writer.Transact(() => writer.Connection.Execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)")));
        Assert.Equal((0L, before), (writer.Connection.Scalar<long>("SELECT count(*) FROM t"), writer.MeasureWal()));
        writer.Transact(() => writer.Connection.Execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"));
        Assert.Equal(2, writer.Connection.Scalar<long>("SELECT count(*) FROM t"));
    }

    [Fact]
    public void ReadSalt_NoFile_IsZero() => Assert.Equal(0ul, WalPosition.ReadSalt(_folder["none-wal"]));
}
