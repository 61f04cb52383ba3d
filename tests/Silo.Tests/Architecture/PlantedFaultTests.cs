using System.Diagnostics;

namespace Silo.Tests.Architecture;

/// <summary>The faults of <c>tests/planted</c> can be planted: a patch that does not apply proves nothing about the tests that should find it.</summary>
public sealed class PlantedFaultTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "planted");

    public static TheoryData<string> Patches => [.. Directory.EnumerateFiles(Folder, "*.patch").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Patches))]
    public async Task Patch_Applies(string name)
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["-C", Repository.Root, "apply", "--check", Path.Combine(Folder, $"{name}.patch")]) { RedirectStandardError = true })!;
        var said = await git.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await git.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(git.ExitCode == 0, said);
    }

    [Theory]
    [MemberData(nameof(Patches))]
    public void Patch_IsInTheTableWithTestsThatExist(string name)
    {
        var row = Assert.Single(File.ReadLines(Path.Combine(Folder, "README.md")), line => line.StartsWith($"| `{name}` |", StringComparison.Ordinal));
        var tests = row.Split('|')[3].Split('`').Where((_, at) => at % 2 == 1).ToList();
        Assert.NotEmpty(tests);
        foreach (var test in tests)
            Assert.NotEmpty(Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), $"{test}.cs", SearchOption.AllDirectories));
    }
}
