using System.Data.Common;
using System.Net.Sockets;
using DbUp;
using Npgsql;

namespace Silo.Storage.Catalog;

/// <summary>A database of PostgreSQL, 13 or newer; it exists already, and its user may make tables.</summary>
internal sealed class PostgresDatabase : SharedDatabase
{
    /// <summary>Whose migrations wait for whose: any number that nothing else on the server uses.</summary>
    private const long MigrationLock = 0x5169_6c6f_6d69_6772;

    private readonly string _connection; // with the password, which the source tells no more
    private readonly NpgsqlDataSource _source;

    public PostgresDatabase(string connection, string role, string setting, TimeSpan busyTimeout)
        : base(role, setting)
    {
        var settings = Parse(connection);
        Name = $"database {settings.Database ?? settings.Username} at {settings.Host}";
        _connection = Settings(settings, busyTimeout);
        _source = NpgsqlDataSource.Create(_connection);
    }

    public override string Name { get; }

    /// <summary>Whether it is a connection string of PostgreSQL and not of SQLite.</summary>
    public static bool IsMeantBy(string connection)
    {
        if (!connection.Contains('=', StringComparison.Ordinal)) return false;
        try
        {
            var parts = new DbConnectionStringBuilder { ConnectionString = connection };
            return parts.ContainsKey("Host") || parts.ContainsKey("Server");
        }
        catch (ArgumentException)
        {
            return false; // it is nobody's
        }
    }

    /// <exception cref="ArgumentException">It is none of PostgreSQL's.</exception>
    public static NpgsqlConnectionStringBuilder Parse(string connection) => new(connection);

    internal override IReadOnlySet<string> Columns(DbConnection connection, string table)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = @table";
        command.Add("@table", table);
        return command.ReadNames();
    }

    private protected override DbConnection Connection() => _source.CreateConnection();

    /// <remarks>The lock is of a session of its own: it ends with that session, also when this process is killed.</remarks>
    private protected override IReadOnlyList<string> Migrate(MigrationScripts scripts)
    {
        var settings = new NpgsqlConnectionStringBuilder(_connection) { Pooling = false };
        using var alone = new NpgsqlConnection(settings.ConnectionString);
        alone.Open();
        alone.Execute($"SELECT pg_advisory_lock({MigrationLock})");
        using var columns = new NpgsqlConnection(settings.ConnectionString);
        columns.Open();
        var result = DeployChanges.To.PostgresqlDatabase(settings.ConnectionString)
            .WithScripts(scripts.Read())
            .WithPreprocessor(new ExistingColumns(this, columns))
            .WithVariablesDisabled()
            .JournalToPostgresqlTable(null, scripts.Journal)
            .WithTransaction()
            .LogToNowhere()
            .Build()
            .PerformUpgrade();
        if (!result.Successful) throw result.Error;
        scripts.Finish?.Invoke(this, columns);
        return [.. result.Scripts.Select(script => script.Name)];
    }

    private protected override (CatalogFailure Failure, string Remedy)? Explain(Exception failure) => failure switch
    {
        PostgresException e => Explain(FailureOf(e.SqlState)),
        NpgsqlException or SocketException or TimeoutException => Explain(CatalogFailure.Unreachable),
        _ => null,
    };

    protected override void Dispose(bool disposing)
    {
        if (disposing) _source.Dispose();
    }

    private static string Settings(NpgsqlConnectionStringBuilder settings, TimeSpan busyTimeout)
    {
        // Npgsql's own defaults are for one program; here every silo has its connections.
        if (!settings.ContainsKey("Timeout")) settings.Timeout = 5;
        if (!settings.ContainsKey("Command Timeout")) settings.CommandTimeout = (int)busyTimeout.TotalSeconds;
        if (!settings.ContainsKey("Maximum Pool Size")) settings.MaxPoolSize = 16;
        if (!settings.ContainsKey("Max Auto Prepare")) settings.MaxAutoPrepare = 16;
        settings.ApplicationName ??= "silo";
        return settings.ConnectionString;
    }

    private static (CatalogFailure, string) Explain(CatalogFailure failure) => (failure, failure switch
    {
        CatalogFailure.Unreachable => "Check that PostgreSQL runs there and lets this user in, or correct {setting}.",
        CatalogFailure.Damaged => "PostgreSQL found its own files damaged: see its log, and restore from a backup.",
        CatalogFailure.Full => "Free space on PostgreSQL's disk.",
        CatalogFailure.Busy => "Others held it up for longer than Catalog:BusyTimeout, or have all its connections: try again.",
        _ => "It is not as this version expects: run the migrations, and see the cause.",
    });

    // SQLSTATE: PostgreSQL's manual, appendix A.
    private static CatalogFailure FailureOf(string state) => state switch
    {
        "53100" => CatalogFailure.Full,
        "53300" or "55P03" or "57014" or "40001" or "40P01" => CatalogFailure.Busy,
        "XX001" or "XX002" => CatalogFailure.Damaged,
        _ when state.StartsWith("08", StringComparison.Ordinal) || state.StartsWith("28", StringComparison.Ordinal) || state.StartsWith("57P", StringComparison.Ordinal) => CatalogFailure.Unreachable,
        "3D000" or "42501" => CatalogFailure.Unreachable,
        _ => CatalogFailure.Unexpected,
    };
}
