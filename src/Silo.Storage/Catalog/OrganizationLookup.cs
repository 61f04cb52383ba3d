using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Contracts.Organizations;

namespace Silo.Storage.Catalog;

/// <summary>The prepared lookup of one organization: it stands in the way of every cold start.</summary>
internal sealed class OrganizationLookup(CatalogFile file, Durability byDefault) : IDisposable
{
    private readonly Lock _lock = new();

    // Guarded by _lock. One connection is enough: a lookup takes some 20 us, and in WAL mode it waits for no writer.
    private SqliteConnection? _connection;
    private SqliteCommand? _command;
    private bool _isDisposed;

    /// <summary>Finds one; blocks.</summary>
    public Organization? Find(OrganizationId id)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            try
            {
                var command = _command ??= Prepare();
                command.Parameters[0].Value = id.Value;
                using var reader = command.ExecuteReader();
                return reader.Read() ? OrganizationRow.Read(reader, byDefault) : null;
            }
            catch (SqliteException)
            {
                Close(); // the next lookup begins with a new connection
                throw;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            Close();
        }
    }

    private SqliteCommand Prepare()
    {
        _connection = file.Open(pooled: false);
        var command = _connection.CreateCommand();
        command.CommandText = OrganizationRow.Select + " WHERE o.id = $id";
        command.Parameters.Add("$id", SqliteType.Text);
        command.Prepare();
        return command;
    }

    private void Close()
    {
        _command?.Dispose();
        _connection?.Dispose();
        (_command, _connection) = (null, null);
    }
}
