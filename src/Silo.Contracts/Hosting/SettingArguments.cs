namespace Silo.Contracts.Hosting;

/// <summary>
/// The settings among the arguments of a program: <c>--Section:Key=value</c>, or the value as the argument that follows.
/// What is left over are options, which stay strict: a misspelt one is refused and not taken for a setting.
/// </summary>
public static class SettingArguments
{
    /// <summary>Parts the arguments; each keeps its order.</summary>
    public static (string[] Settings, string[] Options) Split(IReadOnlyList<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var settings = new List<string>();
        var options = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            var key = argument.Split('=', 2)[0];
            if (!key.StartsWith("--", StringComparison.Ordinal) || !key.Contains(':', StringComparison.Ordinal))
            {
                options.Add(argument);
                continue;
            }
            settings.Add(argument);
            if (key.Length == argument.Length && i + 1 < arguments.Count) settings.Add(arguments[++i]);
        }
        return ([.. settings], [.. options]);
    }
}
