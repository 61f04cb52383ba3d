using System.Text.RegularExpressions;

namespace Silo.GcsEmulator.Store;

/// <summary>A bucket's name: also the name of its folder, so nothing that could leave the data folder is accepted.</summary>
internal static partial class BucketName
{
    /// <summary>True for 3 to 222 characters of <c>a-z 0-9 - _ .</c> that begin and end with a letter or digit and have no <c>..</c>.</summary>
    public static bool IsValid(string? name) =>
        name is { Length: >= 3 and <= 222 } && Pattern().IsMatch(name) && !name.Contains("..", StringComparison.Ordinal);

    public static string Require(string? name) =>
        IsValid(name) ? name! : throw GcsRefusal.Invalid($"Invalid bucket name: '{name}'.");

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._-]*[a-z0-9]\z")]
    private static partial Regex Pattern();
}
