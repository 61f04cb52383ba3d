using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Contracts;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Catalog;

/// <summary>A folder with a catalog file, and what was logged about it.</summary>
public sealed class CatalogFixture : IDisposable
{
    private readonly List<OrganizationCatalog> _catalogs = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-catalog-");

    public CatalogFixture() => File = Path.Combine(_folder.FullName, "catalog.db");

    public string File { get; }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public List<string> Warnings { get; } = [];

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public OrganizationCatalog Open(string? connection = null, Durability byDefault = Durability.Local)
    {
        var catalog = new OrganizationCatalog(
            Options.Create(new CatalogOptions { Connection = connection ?? File }),
            Options.Create(new GcsOptions { BucketName = "test-bucket" }),
            Options.Create(new DatabaseOptions { DefaultDurability = byDefault }),
            Time,
            new WarningLogger(Warnings));
        _catalogs.Add(catalog);
        return catalog;
    }

    public async Task<OrganizationCatalog> OpenMigratedAsync()
    {
        var catalog = Open();
        await catalog.MigrateAsync(Cancellation);
        return catalog;
    }

    /// <summary>Runs SQL on the file as some other program would.</summary>
    public List<string> Sql(string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = File, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
            rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(column => reader.IsDBNull(column) ? "NULL" : reader.GetString(column))));
        return rows;
    }

    public void Dispose()
    {
        foreach (var catalog in _catalogs) catalog.Dispose();
        _folder.Delete(recursive: true);
    }

    private sealed class WarningLogger(List<string> warnings) : ILogger<OrganizationCatalog>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel < LogLevel.Warning) return;
            lock (warnings) warnings.Add(formatter(state, exception));
        }
    }
}
