using System.Data.Common;

namespace Silo.Storage.Catalog;

/// <summary>Brings a catalog to this version with the numbered scripts beside it, which SQLite and PostgreSQL both understand.</summary>
internal static class CatalogMigrations
{
    /// <summary>The table of the scripts that have run; not DbUp's default name, which the older system may use.</summary>
    public const string Journal = "silo_schema_versions";

    public static MigrationScripts Scripts { get; } = new(typeof(CatalogMigrations).Assembly, "Silo.Storage.Catalog.Migrations.", Journal) { Finish = AdoptSettings };

    // What the older table says of its rows, where it has such columns, becomes their settings.
    private static void AdoptSettings(SharedDatabase database, DbConnection connection)
    {
        var columns = database.Columns(connection, "organizations");
        string Value(string column) => columns.Contains(column) ? $"CAST(o.{column} AS TEXT)" : "NULL";
        if (!columns.Contains("turso_url") && !columns.Contains("created_at")) return;
        connection.Execute($"""
            INSERT INTO organization_settings (organization_id, turso_url, created_at)
            SELECT o.id, {Value("turso_url")}, {Value("created_at")} FROM organizations o
            WHERE o.id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM organization_settings s WHERE s.organization_id = o.id)
            """);
    }
}
