using System.Text.RegularExpressions;
using DbUp;
using DbUp.Engine;
using DbUp.Sqlite.Helpers;
using Microsoft.Data.Sqlite;

namespace Silo.Storage.Catalog;

/// <summary>
/// Brings a catalog file to this version with the numbered scripts beside it, run by DbUp and remembered in <see cref="Journal"/>.
/// </summary>
/// <remarks>
/// All of it is one <c>BEGIN IMMEDIATE</c> transaction: of two processes that start at once the second waits and then finds nothing to do,
/// and a crash in the middle leaves the file as it was.
/// </remarks>
internal static partial class CatalogMigrations
{
    /// <summary>The table of the scripts that have run; not DbUp's default name, which the older system may use.</summary>
    public const string Journal = "silo_schema_versions";

    private const string ResourcePrefix = "Silo.Storage.Catalog.Migrations.";

    /// <summary>Runs what has not run yet.</summary>
    /// <returns>The names of the scripts that ran, in order.</returns>
    public static IReadOnlyList<string> Apply(SqliteConnection connection)
    {
        // WAL lets lookups go on while a row is added. It cannot be switched on inside a transaction.
        Execute(connection, "PRAGMA journal_mode = WAL");
        Execute(connection, "BEGIN IMMEDIATE");
        try
        {
            using var shared = new SharedConnection(connection);
            var result = DeployChanges.To.SqliteDatabase(shared)
                .WithScripts(Scripts())
                .WithPreprocessor(new ExistingColumns(connection))
                .WithVariablesDisabled()
                .JournalToSqliteTable(Journal)
                .LogToNowhere()
                .Build()
                .PerformUpgrade();
            if (!result.Successful) throw result.Error;
            AdoptSettings(connection);
            Execute(connection, "COMMIT");
            return [.. result.Scripts.Select(script => script.Name)];
        }
        catch
        {
            // SQLite may have rolled back by itself (disk full); a second ROLLBACK would hide why.
            if (SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0) Execute(connection, "ROLLBACK");
            throw;
        }
    }

    // What the older table says of its rows, where it has such columns, becomes their settings.
    private static void AdoptSettings(SqliteConnection connection)
    {
        var columns = Columns(connection);
        string Value(string column) => columns.Contains(column) ? $"o.{column}" : "NULL";
        if (!columns.Contains("turso_url") && !columns.Contains("created_at")) return;
        Execute(connection, $"""
            INSERT INTO organization_settings (organization_id, turso_url, created_at)
            SELECT o.id, {Value("turso_url")}, {Value("created_at")} FROM organizations o
            WHERE o.id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM organization_settings s WHERE s.organization_id = o.id)
            """);
    }

    private static IEnumerable<SqlScript> Scripts()
    {
        var assembly = typeof(CatalogMigrations).Assembly;
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            yield return new SqlScript(resource[ResourcePrefix.Length..], reader.ReadToEnd());
        }
    }

    private static HashSet<string> Columns(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT name FROM pragma_table_info('organizations')";
        using var reader = command.ExecuteReader();
        var columns = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        while (reader.Read()) columns.Add(reader.GetString(0));
        return columns;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>
    /// SQLite has no ADD COLUMN IF NOT EXISTS, and a file that the older system has migrated itself has some or all of them: those
    /// statements are left out, and the script counts as done.
    /// </summary>
    private sealed partial class ExistingColumns(SqliteConnection connection) : IScriptPreprocessor
    {
        public string Process(string contents)
        {
            var columns = Columns(connection);
            return AddColumn().Replace(contents, statement => columns.Contains(statement.Groups["column"].Value) ? "" : statement.Value);
        }

        [GeneratedRegex(@"^ALTER TABLE organizations ADD COLUMN (?<column>\w+)[^;]*;", RegexOptions.Multiline)]
        private static partial Regex AddColumn();
    }
}
