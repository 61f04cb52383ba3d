using System.Reflection;
using System.Runtime.CompilerServices;

namespace Silo.Tests.Architecture;

public sealed class TypeNameTests
{
    // A name that ends so says what kind of thing it is and not which.
    private static readonly string[] Banned = ["Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Base", "Manager", "Service"];

    [Fact]
    public void Types_OfOurs_AreNamedForTheDomain() => Assert.Empty(
        from type in Types()
        let name = type.Name.Split('`')[0]
        where Banned.Any(ending => name.EndsWith(ending, StringComparison.Ordinal))
        select type.FullName);

    private static IEnumerable<Type> Types() =>
        from file in Directory.EnumerateFiles(AppContext.BaseDirectory, "Silo.*.dll")
        from type in Assembly.LoadFrom(file).GetTypes()
        where type.Namespace?.StartsWith("Silo", StringComparison.Ordinal) ?? true // not what Orleans generates
        where !type.IsDefined(typeof(CompilerGeneratedAttribute)) && !type.Name.Contains('<', StringComparison.Ordinal)
        select type;
}
