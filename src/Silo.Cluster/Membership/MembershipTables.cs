using Microsoft.Extensions.Options;
using Silo.Cluster.Hosting;
using Silo.Contracts.Hosting;
using Silo.Storage.Catalog;

namespace Silo.Cluster.Membership;

/// <summary>
/// The tables in which Orleans lists silos. It ships no scripts for them; those beside this file are ours, run by the migrations of
/// the catalog. Of several silos that start at once one runs them, and the others wait for it.
/// </summary>
internal sealed partial class MembershipTables(IOptions<ClusteringOptions> options, IOptions<CatalogOptions> catalog, ILogger<MembershipTables> logger)
{
    private const string Journal = "silo_membership_versions";

    /// <exception cref="CatalogException">The database cannot be used.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Provider == ClusteringProvider.Localhost) return;
        using var database = SharedDatabase.Of(options.Value.Connection!, "membership table in", "ConnectionStrings:Cluster", catalog.Value.BusyTimeout);
        var scripts = new MigrationScripts(typeof(MembershipTables).Assembly, $"Silo.Cluster.Membership.{options.Value.Provider}.", Journal);
        foreach (var script in await database.MigrateAsync(scripts, cancellationToken)) LogMigrated(database.Name, script);
    }

    [LoggerMessage(LogLevel.Information, "Cluster {Database}: ran {Script}")]
    private partial void LogMigrated(string database, string script);
}
