using Microsoft.Data.Sqlite;
using Silo.LibSql;
using Silo.Storage.Migration;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Migration;

/// <summary>Databases on a real server, and a folder for their copies.</summary>
internal sealed class MigrationBench : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-migration-");
    private readonly List<DatabaseMigration> _migrations = [];

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public TursoBench Turso { get; } = new();

    /// <summary>So small that every table needs many chunks.</summary>
    public MigrationOptions Options { get; } = new() { ChunkRows = 7, ChunkBytes = 4096, ReadRetryDelay = TimeSpan.FromMilliseconds(20) };

    /// <summary>Where a copy is.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name + ".db");

    public DatabaseMigration Begin(TursoDatabase source, string name = "copy")
    {
        var migration = new DatabaseMigration(source, PathOf(name), Options, TimeProvider.System);
        _migrations.Add(migration);
        return migration;
    }

    /// <summary>A database with the statements of a script.</summary>
    public async Task<TursoDatabase> CreateAsync(Sqld sqld, string script)
    {
        var database = await Turso.CreateAsync(sqld);
        await database.ExecuteScriptAsync(script, Cancellation);
        return database;
    }

    public SqliteConnection Open(string name = "copy")
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = PathOf(name), Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var migration in _migrations) migration.Dispose();
        await Turso.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
