using Microsoft.Data.Sqlite;

namespace Silo.Storage.Sqlite;

/// <summary>
/// A reader that stays at the state of its beginning. Until it goes, a checkpoint copies nothing of what is committed later into the
/// file, so Litestream, which checkpoints a large WAL before it uploads it, uploads at once.
/// </summary>
internal sealed class SnapshotHold : IDisposable
{
    private readonly SqliteConnection _connection;

    /// <param name="path">The database.</param>
    public SnapshotHold(string path)
    {
        _connection = OrgConnection.OpenReader(path);
        _connection.Execute("BEGIN");
        _connection.Scalar<long>("SELECT count(*) FROM silo_meta"); // a transaction begins with its first read
    }

    public void Dispose() => _connection.Dispose();
}
