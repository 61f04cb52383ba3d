using Silo.Contracts.Hosting;

namespace Silo.Tests.Contracts;

public sealed class ClusterDatabaseTests
{
    [Fact]
    public void Of_Localhost_IsNone() => Assert.Null(ClusterDatabase.Of(ClusteringProvider.Localhost, null));

    [Fact]
    public void Of_PathAlone_IsASqliteFileWithoutPool()
    {
        var database = ClusterDatabase.Of(ClusteringProvider.Sqlite, "folder/cluster.db")!;
        Assert.Equal("System.Data.SQLite", database.Invariant);
        Assert.Contains(Path.GetFullPath("folder/cluster.db"), database.ConnectionString, StringComparison.Ordinal);
        Assert.Contains("pooling=False", database.ConnectionString, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Of_Postgres_IsTakenAsItIs()
    {
        var database = ClusterDatabase.Of(ClusteringProvider.Postgres, "Host=127.0.0.1;Username=silo;Database=silo")!;
        Assert.Equal("Npgsql", database.Invariant);
        Assert.Contains("host=127.0.0.1", database.ConnectionString, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(ClusteringProvider.Sqlite, null, "set ConnectionStrings:Cluster")]
    [InlineData(ClusteringProvider.Postgres, " ", "set ConnectionStrings:Cluster")]
    [InlineData(ClusteringProvider.Postgres, "cluster.db", "must be one of PostgreSQL")]
    [InlineData(ClusteringProvider.Sqlite, "Host=127.0.0.1;Password=secret", "one of PostgreSQL")]
    [InlineData(ClusteringProvider.Postgres, "Host=x;=secret", "no connection string")]
    public void Problem_SettingsThatDoNotFit_SaysWhatToSet(ClusteringProvider provider, string? connection, string remedy)
    {
        var problem = ClusterDatabase.Problem(provider, connection);
        Assert.Contains(remedy, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem, StringComparison.Ordinal);
    }
}
