using System.Reflection;
using System.Xml.Linq;

namespace Silo.Tests.Architecture;

/// <summary>Who may use whom, as the table in DESIGN.md has it.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Silo.Contracts"] = [],
        ["Silo.Storage"] = ["Silo.Contracts"],
        ["Silo.Cluster"] = ["Silo.Contracts", "Silo.Storage"],
        ["Silo.Gateway"] = ["Silo.Contracts", "Silo.Storage"],
        ["Silo.Cli"] = ["Silo.Contracts"],
        ["Silo.GcsEmulator"] = [],
        ["Silo.Standalone"] = ["Silo.Contracts", "Silo.Storage", "Silo.Cluster", "Silo.Gateway", "Silo.GcsEmulator"],
    };

    /// <summary>The gateway hands files to the bucket, and has no other business below the grains.</summary>
    [Fact]
    public void Gateway_UsesOfTheStorage_OnlyTheBucketAndTheFilesOfImports() => Assert.Empty(
        from line in Repository.Lines(Repository.FilesEndingWith(".cs").Where(file => file.StartsWith("src/Silo.Gateway/", StringComparison.Ordinal)))
        where line.Text.Contains("Silo.Storage.", StringComparison.Ordinal) && !line.Text.Contains("Silo.Storage.Gcs", StringComparison.Ordinal) && !line.Text.Contains("Silo.Storage.Imports", StringComparison.Ordinal)
        select $"{line.File}:{line.Number}");

    public static TheoryData<string> SourceProjects => new(Repository.FilesEndingWith(".csproj").Where(file => file.StartsWith("src/", StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void Project_References_AreThoseOfTheTable(string project)
    {
        var name = Path.GetFileNameWithoutExtension(project);
        Assert.True(Allowed.TryGetValue(name, out var allowed), $"{name} is not in the table: add it to DESIGN.md and here, with its reason.");

        var references = Includes(project, "ProjectReference").Select(include => Path.GetFileNameWithoutExtension(include.Replace('\\', '/')));

        Assert.Empty(references.Except(allowed!));
    }

    [Fact]
    public void Storage_Uses_NeitherOrleansRuntimeNorAspNet()
    {
        const string Project = "src/Silo.Storage/Silo.Storage.csproj";
        Assert.Equal("Microsoft.NET.Sdk", XDocument.Load(Repository.PathOf(Project)).Root!.Attribute("Sdk")!.Value);
        Assert.Empty(Includes(Project, "FrameworkReference"));
        Assert.DoesNotContain(Includes(Project, "PackageReference"), package => package.StartsWith("Microsoft.Orleans", StringComparison.Ordinal));

        // Contracts brings what grain interfaces need, of which a few packages are named after ASP.NET; the runtime is not among it.
        var locked = File.ReadAllText(Repository.PathOf("src/Silo.Storage/packages.lock.json"));
        Assert.DoesNotContain("\"Microsoft.Orleans.Runtime\"", locked, StringComparison.Ordinal);
        var assemblies = Assembly.Load("Silo.Storage").GetReferencedAssemblies().Select(assembly => assembly.Name!);
        Assert.DoesNotContain(assemblies, assembly => assembly.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) || assembly == "Orleans.Runtime");
    }

    private static IEnumerable<string> Includes(string project, string item) =>
        XDocument.Load(Repository.PathOf(project)).Descendants(item).Attributes("Include").Select(attribute => attribute.Value);
}
