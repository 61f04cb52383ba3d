using Microsoft.Data.Sqlite;

namespace Silo.Storage.Catalog;

/// <summary>
/// The catalog's SQLite file. Every use runs on the thread pool, because a call blocks until SQLite is done, and an Orleans scheduler
/// thread must not; every failure of the file leaves as a <see cref="CatalogException"/>.
/// </summary>
internal sealed class CatalogFile(CatalogOptions options) : IDisposable
{
    private readonly SqliteConnectionStringBuilder _settings = options.ToConnectionString();

    /// <summary>Its absolute path.</summary>
    public string Path => _settings.DataSource;

    /// <summary>Does something with a connection from the pool.</summary>
    public Task<T> UseAsync<T>(string action, Func<SqliteConnection, T> use, CancellationToken cancellationToken) => RunAsync(
        action,
        () =>
        {
            using var connection = Open(pooled: true);
            return use(connection);
        },
        cancellationToken);

    /// <summary>Does something that opens what it needs itself.</summary>
    public Task<T> RunAsync<T>(string action, Func<T> run, CancellationToken cancellationToken) => Task.Factory.StartNew(
        () =>
        {
            try
            {
                return run();
            }
            catch (Exception failure) when (failure is SqliteException or IOException or UnauthorizedAccessException)
            {
                throw CatalogException.From(action, Path, failure);
            }
        },
        cancellationToken,
        TaskCreationOptions.DenyChildAttach,
        TaskScheduler.Default);

    /// <summary>Opens a connection; the file and its folder are made when there are none.</summary>
    public SqliteConnection Open(bool pooled)
    {
        if (System.IO.Path.GetDirectoryName(Path) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder(_settings.ConnectionString) { Pooling = pooled }.ConnectionString);
        try
        {
            connection.Open();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Closes the connections that wait in the pool.</summary>
    public void Dispose()
    {
        using var pooled = new SqliteConnection(new SqliteConnectionStringBuilder(_settings.ConnectionString) { Pooling = true }.ConnectionString);
        SqliteConnection.ClearPool(pooled);
    }
}
