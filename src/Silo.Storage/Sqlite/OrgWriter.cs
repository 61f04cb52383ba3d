using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;
using SQLitePCL;

namespace Silo.Storage.Sqlite;

/// <summary>
/// The one connection that writes to an organization's file. Not thread-safe but for <see cref="ReadSalt"/>: only the turn that holds
/// <c>OrgDatabase</c>'s write lock touches it, and never on an Orleans scheduler thread.
/// </summary>
internal sealed class OrgWriter : IDisposable
{
    private readonly string _walPath;
    private readonly SqliteCommand _measureWal;
    private readonly SqliteCommand _begin;
    private readonly SqliteCommand _commit;
    private readonly int _pageSize;
    private SafeFileHandle? _wal; // once it is there it stays
    private ulong _salt;

    public OrgWriter(string path)
    {
        _walPath = path + "-wal";
        Connection = OrgConnection.OpenWriter(path);
        _pageSize = (int)Connection.Scalar<long>("PRAGMA page_size");
        // NOOP looks and changes nothing (SQLite 3.51); the other modes would checkpoint, which only Litestream may.
        _measureWal = Connection.Prepare("PRAGMA wal_checkpoint(NOOP)");
        _begin = Connection.Prepare("BEGIN IMMEDIATE");
        _commit = Connection.Prepare("COMMIT");
    }

    public SqliteConnection Connection { get; }

    /// <summary>How far the WAL has come, with all that this connection and Litestream committed.</summary>
    public WalPosition MeasureWal()
    {
        for (; ; )
        {
            var frames = CountFrames();
            var salt = ReadSalt();
            // The same salt before and after the count: these are frames of one WAL. A salt never comes back.
            if (salt == _salt) return new WalPosition(salt, frames, _pageSize);
            _salt = salt;
        }
    }

    /// <summary>Runs statements in one transaction; where it throws, none has changed anything.</summary>
    public void Transact(Action statements)
    {
        _begin.ExecuteNonQuery();
        try
        {
            statements();
            _commit.ExecuteNonQuery();
        }
        catch
        {
            // After some errors of the disk SQLite has rolled back already.
            if (raw.sqlite3_get_autocommit(Connection.Handle) == 0) Connection.Execute("ROLLBACK");
            throw;
        }
    }

    public void Dispose()
    {
        _wal?.Dispose();
        _measureWal.Dispose();
        _begin.Dispose();
        _commit.Dispose();
        Connection.Dispose();
    }

    /// <summary>The salt of the WAL as it is now; 0 while there is none. From any thread, as long as this is not disposed.</summary>
    public ulong ReadSalt()
    {
        // The WAL is made by the first write and lives as long as this connection, so it can stay open.
        if (_wal is null && File.Exists(_walPath))
        {
            var opened = WalPosition.OpenWal(_walPath);
            if (Interlocked.CompareExchange(ref _wal, opened, null) is not null) opened.Dispose();
        }
        return _wal is null ? 0 : WalPosition.ReadSalt(_wal);
    }

    private int CountFrames()
    {
        using var row = _measureWal.ExecuteReader();
        // busy, frames in the WAL, frames checkpointed; -1 when there is no WAL.
        return row.Read() ? Math.Max(0, row.GetInt32(1)) : 0;
    }
}
