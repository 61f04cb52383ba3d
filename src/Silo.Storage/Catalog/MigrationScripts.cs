using System.Data.Common;
using System.Reflection;
using System.Text.RegularExpressions;
using DbUp.Engine;

namespace Silo.Storage.Catalog;

/// <summary>Numbered scripts in an assembly, which DbUp runs once each, in the order of their names.</summary>
/// <param name="Assembly">Where they are embedded.</param>
/// <param name="Prefix">What their resource names begin with.</param>
/// <param name="Journal">The table of those that have run.</param>
public sealed record MigrationScripts(Assembly Assembly, string Prefix, string Journal)
{
    /// <summary>Done after the scripts, each time.</summary>
    internal Action<SharedDatabase, DbConnection>? Finish { get; init; }

    internal IEnumerable<SqlScript> Read()
    {
        foreach (var resource in Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(Assembly.GetManifestResourceStream(resource)!);
            yield return new SqlScript(resource[Prefix.Length..], reader.ReadToEnd());
        }
    }
}

/// <summary>
/// SQLite has no ADD COLUMN IF NOT EXISTS, and a table that the older system has migrated itself has some or all of them: those
/// statements are left out, and the script counts as done.
/// </summary>
internal sealed partial class ExistingColumns(SharedDatabase database, DbConnection connection) : IScriptPreprocessor
{
    public string Process(string contents) => AddColumn().Replace(
        contents,
        statement => database.Columns(connection, statement.Groups["table"].Value).Contains(statement.Groups["column"].Value) ? "" : statement.Value);

    [GeneratedRegex(@"^ALTER TABLE (?<table>\w+) ADD COLUMN (?<column>\w+)[^;]*;", RegexOptions.Multiline)]
    private static partial Regex AddColumn();
}
