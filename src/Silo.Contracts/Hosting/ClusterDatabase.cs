using System.Data.Common;

namespace Silo.Contracts.Hosting;

/// <summary>Where the silos of a cluster are listed.</summary>
public enum ClusteringProvider
{
    /// <summary>Nowhere: one silo on this machine.</summary>
    Localhost,

    /// <summary>In a file of SQLite's: any number of silos and gateways on one machine.</summary>
    Sqlite,

    /// <summary>In a database of PostgreSQL: any number on any number of machines.</summary>
    Postgres,
}

/// <summary>The database in which silos list themselves and gateways find them, as Orleans' ADO.NET clustering takes it.</summary>
/// <param name="Invariant">The name under which Orleans knows the driver.</param>
/// <param name="ConnectionString">For that driver.</param>
public sealed record ClusterDatabase(string Invariant, string ConnectionString)
{
    /// <summary>What is wrong with the settings; null for nothing.</summary>
    /// <param name="provider">Where silos are listed.</param>
    /// <param name="connection"><c>ConnectionStrings:Cluster</c>, or <c>ConnectionStrings:Catalog</c> where that is missing.</param>
    public static string? Problem(ClusteringProvider provider, string? connection)
    {
        if (provider == ClusteringProvider.Localhost) return null;
        if (string.IsNullOrWhiteSpace(connection))
            return $"Clustering:Provider is {provider}: set ConnectionStrings:Cluster (or ConnectionStrings:Catalog, if both are in one database).";
        try
        {
            var isPostgres = Parse(connection).ContainsKey("Host");
            if (isPostgres == (provider == ClusteringProvider.Postgres)) return null;
            return isPostgres
                ? "Clustering:Provider is Sqlite, and the connection string is one of PostgreSQL."
                : "Clustering:Provider is Postgres: ConnectionStrings:Cluster must be one of PostgreSQL (Host=...;Database=...;Username=...).";
        }
        catch (ArgumentException)
        {
            // The text itself may hold a password, so it is not repeated.
            return "ConnectionStrings:Cluster is no connection string.";
        }
    }

    /// <summary>The database; null with <see cref="ClusteringProvider.Localhost"/>.</summary>
    /// <exception cref="ArgumentException">There is a <see cref="Problem"/>.</exception>
    public static ClusterDatabase? Of(ClusteringProvider provider, string? connection)
    {
        if (Problem(provider, connection) is { } problem) throw new ArgumentException(problem, nameof(connection));
        if (provider == ClusteringProvider.Localhost) return null;
        var settings = Parse(connection!);
        if (provider == ClusteringProvider.Postgres) return new ClusterDatabase("Npgsql", settings.ConnectionString);
        // A failed script would leave its write transaction open in the pool, and lock all others out.
        settings["Pooling"] = false;
        if (!settings.ContainsKey("Default Timeout")) settings["Default Timeout"] = 30;
        // Orleans loads Microsoft.Data.Sqlite under the older driver's name.
        return new ClusterDatabase("System.Data.SQLite", settings.ConnectionString);
    }

    private static DbConnectionStringBuilder Parse(string connection) => connection.Contains('=', StringComparison.Ordinal)
        ? new DbConnectionStringBuilder { ConnectionString = connection }
        : new DbConnectionStringBuilder { ["Data Source"] = Path.GetFullPath(connection) };
}
