using System.Data.Common;

namespace Silo.Storage.Catalog;

/// <summary>
/// A database that all silos of a cluster use: a file of SQLite's where they share a machine, PostgreSQL where they do not. SQL that
/// both understand is written once, with parameters named <c>@name</c>.
/// </summary>
/// <remarks>Every failure of the database leaves as a <see cref="CatalogException"/>. Safe for use by many threads.</remarks>
public abstract class SharedDatabase(string role, string setting) : IDisposable
{
    /// <summary>What to call it in a sentence.</summary>
    public abstract string Name { get; }

    /// <summary>The database that a connection string names.</summary>
    /// <param name="connection">See <see cref="CatalogOptions.Connection"/>.</param>
    /// <param name="role">What it is for: <c>catalog</c>.</param>
    /// <param name="setting">Where the connection string was read from.</param>
    /// <param name="busyTimeout">How long a call waits for another process to end its change.</param>
    public static SharedDatabase Of(string connection, string role, string setting, TimeSpan busyTimeout) => PostgresDatabase.IsMeantBy(connection)
        ? new PostgresDatabase(connection, role, setting, busyTimeout)
        : new SqliteDatabase(connection, role, setting, busyTimeout);

    /// <summary>Does something with a connection from the pool.</summary>
    /// <param name="action">Completes "Cannot ... the catalog".</param>
    /// <param name="use">Uses the connection, and does not keep it.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="CatalogException">The database cannot be used.</exception>
    public Task<T> UseAsync<T>(string action, Func<DbConnection, CancellationToken, Task<T>> use, CancellationToken cancellationToken) => RunAsync(
        action,
        async () =>
        {
            await using var connection = Connection();
            await connection.OpenAsync(cancellationToken);
            return await use(connection, cancellationToken);
        },
        cancellationToken);

    /// <summary>Runs the scripts that have not run yet, in the order of their names and all in one transaction. Many processes may do so at once.</summary>
    /// <returns>The names of those that ran.</returns>
    /// <exception cref="CatalogException">The database cannot be used, or a script does not fit what is there.</exception>
    public Task<IReadOnlyList<string>> MigrateAsync(MigrationScripts scripts, CancellationToken cancellationToken) =>
        RunAsync("migrate", () => Task.FromResult(Migrate(scripts)), cancellationToken);

    /// <summary>The lower-case names of a table's columns; none when there is no such table.</summary>
    internal abstract IReadOnlySet<string> Columns(DbConnection connection, string table);

    /// <summary>Closes the connections that wait in the pool.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc cref="Dispose()"/>
    protected abstract void Dispose(bool disposing);

    /// <summary>A connection that is not open yet; disposing it gives it back to the pool.</summary>
    private protected abstract DbConnection Connection();

    /// <summary>Blocks until it is done.</summary>
    private protected abstract IReadOnlyList<string> Migrate(MigrationScripts scripts);

    /// <summary>What is wrong, and what to do about it; null for what is no failure of the database.</summary>
    private protected abstract (CatalogFailure Failure, string Remedy)? Explain(Exception failure);

    // On the thread pool: a call to SQLite blocks until it is done, and an Orleans scheduler thread must not.
    private Task<T> RunAsync<T>(string action, Func<Task<T>> run, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
            try
            {
                return await run();
            }
            catch (Exception e) when (Explain(e) is not null)
            {
                var (failure, remedy) = Explain(e)!.Value;
                throw new CatalogException($"Cannot {action} the {role} {Name}: {e.Message.TrimEnd('.')}. {remedy.Replace("{setting}", setting, StringComparison.Ordinal)}", failure, e);
            }
        },
        cancellationToken);
}
