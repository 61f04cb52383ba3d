using System.Diagnostics;

namespace Silo.Tests.Architecture;

/// <summary>The working tree that the tests were built from: its files as git sees them, those not yet added included.</summary>
internal static class Repository
{
    private const int LargestTextBytes = 1 << 20;

    private static readonly Lazy<IReadOnlyList<string>> AllFiles = new(List);

    public static string Root { get; } = FindRoot();

    /// <summary>Paths relative to the root, with <c>/</c>.</summary>
    public static IReadOnlyList<string> Files => AllFiles.Value;

    public static string PathOf(string file) => Path.Combine(Root, file);

    public static IEnumerable<string> FilesEndingWith(params string[] endings) =>
        Files.Where(file => endings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal)));

    /// <summary>Every line of every text file, as <c>(file, number, text)</c>.</summary>
    public static IEnumerable<(string File, int Number, string Text)> Lines(IEnumerable<string> files) =>
        from file in files
        let bytes = File.ReadAllBytes(PathOf(file))
        where bytes.Length <= LargestTextBytes && !bytes.Contains((byte)0)
        from line in File.ReadLines(PathOf(file)).Index()
        select (file, line.Index + 1, line.Item);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Silo.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run outside the repository: no Silo.sln above them.");
    }

    private static List<string> List()
    {
        // Whose the checkout is does not matter here, and git would refuse another user's.
        string[] arguments = ["-c", "safe.directory=*", "-C", Root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { RedirectStandardOutput = true })!;
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return [.. output.Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(file => File.Exists(PathOf(file))).Distinct().Order(StringComparer.Ordinal)];
    }
}
