using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace Silo.Tests.Architecture;

/// <summary>
/// What a DESIGN.md under src names in backticks must exist. A name is one PascalCase word of two or more parts, alone or before a dot, a
/// parenthesis or a type argument: <c>OwnershipLease</c>, <c>OwnershipLease.Renew()</c>. It must be a type or a member of an assembly
/// that the tests run with (ours, Orleans, .NET). Files, folders, settings (<c>Litestream:Path</c>) and single words are not looked at.
/// </summary>
public sealed partial class DesignPageTests
{
    private static readonly Lazy<HashSet<string>> Known = new(ReadNames);

    [Fact]
    public void Pages_NamesInBackticks_Exist() => Assert.Empty(
        from line in Repository.Lines(Repository.Files.Where(file => file.StartsWith("src/", StringComparison.Ordinal) && Path.GetFileName(file) == "DESIGN.md"))
        from name in Names(line.Text)
        where !Known.Value.Contains(name) && !Known.Value.Contains(name + "Attribute")
        select $"{line.File}:{line.Number} names {name}, which does not exist");

    [Theory]
    [InlineData("the `OwnershipLease` and `IOrgDatabaseGrain`", "OwnershipLease,IOrgDatabaseGrain")]
    [InlineData("`OwnershipLease.RenewAsync(token)`, `ReplicaPosition<T>`, `[AlwaysInterleave]`", "OwnershipLease,ReplicaPosition,AlwaysInterleave")]
    [InlineData("`LitestreamProcess.cs`, `LitestreamProcess.Log.cs`, `Gcs/HeadStore`, `Litestream:MaxLag`, `PRAGMA`, `Silo.Storage`, `Sqlite/`", "")]
    [InlineData("OwnershipLease without backticks, `Silo-Durability`, `two Words`", "")]
    public void Names_OfALine_AreThoseThatLookLikeTypes(string line, string expected) => Assert.Equal(expected, string.Join(',', Names(line)));

    [Theory]
    [InlineData("OrganizationId", true)]
    [InlineData("TimeProvider", true)]
    [InlineData("AlwaysInterleaveAttribute", true)]
    [InlineData("OnActivateAsync", true)]
    [InlineData("NoSuchThing", false)]
    public void Known_Names_AreThoseOfTheAssemblies(string name, bool known) => Assert.Equal(known, Known.Value.Contains(name));

    private static IEnumerable<string> Names(string line) =>
        from span in CodeSpan().Matches(line).Select(match => match.Groups[1].Value)
        where !FileName().IsMatch(span)
        let name = TypeName().Match(span)
        where name.Success
        select name.Groups[1].Value;

    private static HashSet<string> ReadNames()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator))
        {
            using var file = new PEReader(File.OpenRead(path));
            if (!file.HasMetadata) continue;
            var metadata = file.GetMetadataReader();
            foreach (var handle in metadata.TypeDefinitions)
            {
                var type = metadata.GetTypeDefinition(handle);
                names.Add(metadata.GetString(type.Name).Split('`')[0]);
                foreach (var member in type.GetMethods()) names.Add(metadata.GetString(metadata.GetMethodDefinition(member).Name));
                foreach (var member in type.GetProperties()) names.Add(metadata.GetString(metadata.GetPropertyDefinition(member).Name));
                foreach (var member in type.GetFields()) names.Add(metadata.GetString(metadata.GetFieldDefinition(member).Name));
            }
        }

        return names;
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();

    [GeneratedRegex(@"\.(cs|csproj|props|targets|md|json|yml|sh|db|sql|html|js|css)$")]
    private static partial Regex FileName();

    [GeneratedRegex(@"^\[?(I?[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+)(?:$|[.(<\]])")]
    private static partial Regex TypeName();
}
