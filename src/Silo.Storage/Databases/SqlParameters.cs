using System.Text.RegularExpressions;

namespace Silo.Storage.Databases;

/// <summary>Finds the parameters of a statement of ours.</summary>
internal static partial class SqlParameters
{
    /// <summary>Their names, without the dollar sign.</summary>
    public static IEnumerable<string> Of(string sql) => Parameter().Matches(sql).Select(match => match.Value[1..]).Distinct(StringComparer.Ordinal);

    [GeneratedRegex("\\$[a-zA-Z]+")]
    private static partial Regex Parameter();
}
