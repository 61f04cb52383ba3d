using System.Text.RegularExpressions;
using Silo.Storage.Litestream;
using Silo.Tests.Architecture;

namespace Silo.Tests.Deploy;

/// <summary>The Dockerfiles, as far as they can be judged without an engine.</summary>
public sealed partial class ImageTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public static TheoryData<string> Dockerfiles =>
        [.. Repository.Files.Where(file => file.StartsWith("deploy/images/", StringComparison.Ordinal) && file.EndsWith("Dockerfile", StringComparison.Ordinal))];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Dockerfiles))]
    public async Task Dockerfile_ByLinter_HasNoErrors(string file) => Assert.Equal("", await DeployTools.LintDockerfileAsync(Repository.PathOf(file)));

    [Fact]
    public async Task Linter_OfAnUnknownInstruction_Finds()
    {
        await File.WriteAllTextAsync(_folder["Dockerfile"], "FROM busybox:1.37.0\nUSERS 1\n", TestContext.Current.CancellationToken);

        Assert.Contains("USERS", await DeployTools.LintDockerfileAsync(_folder["Dockerfile"]), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [MemberData(nameof(Dockerfiles))]
    public void Dockerfile_Bases_ArePinned(string file)
    {
        var stages = new HashSet<string>();
        foreach (var (name, arguments) in Instructions(file).Where(instruction => instruction.Name == "FROM"))
        {
            var words = arguments.Split(' ');
            Assert.True(stages.Contains(words[0]) || PinnedImage().IsMatch(words[0]), $"{file}: {name} {arguments}");
            if (words.Length == 3) stages.Add(words[2]);
        }
    }

    /// <summary>A stage that another is made from, or that only lends files, is no image by itself.</summary>
    [Theory]
    [MemberData(nameof(Dockerfiles))]
    public void Dockerfile_Images_RunAsNobodyAndTellTheirHealth(string file)
    {
        var stages = Stages(file);
        var used = stages.SelectMany(stage => stage).SelectMany(instruction => StageUse().Matches($"{instruction.Name} {instruction.Arguments}")).Select(match => match.Groups[1].Value).ToHashSet();
        var images = stages.Where(stage => !(stage[0].Arguments.Split(" AS ") is [_, var name] && used.Contains(name))).ToList();
        Assert.NotEmpty(images);
        Assert.All(images, image =>
        {
            Assert.Matches("^[1-9][0-9]+:[1-9][0-9]+$", image.Last(instruction => instruction.Name == "USER").Arguments);
            Assert.Contains(image, instruction => instruction.Name == "HEALTHCHECK" && instruction.Arguments.Contains("CMD [", StringComparison.Ordinal));
            // A shell as the first process would keep signals from the program.
            Assert.All(image.Where(instruction => instruction.Name is "ENTRYPOINT" or "CMD"), instruction => Assert.StartsWith("[", instruction.Arguments, StringComparison.Ordinal));
        });
    }

    [Theory]
    [MemberData(nameof(Dockerfiles))]
    public void Dockerfile_CopiedFiles_ExistAndAreNotIgnored(string file)
    {
        var sent = File.ReadLines(Repository.PathOf(".dockerignore")).Where(line => line.StartsWith('!')).Select(line => line[1..]).ToList();
        var sources =
            from instruction in Instructions(file)
            where instruction.Name == "COPY" && !instruction.Arguments.Contains("--from=", StringComparison.Ordinal)
            let paths = instruction.Arguments.Split(' ').Where(word => !word.StartsWith("--", StringComparison.Ordinal)).ToList()
            from source in paths.SkipLast(1)
            select source;
        Assert.All(sources, source =>
        {
            Assert.True(Path.Exists(Repository.PathOf(source)), $"{source} does not exist");
            Assert.Contains(sent, known => source == known || source.StartsWith(known + "/", StringComparison.Ordinal));
        });
    }

    [Fact]
    public void Silo_Litestream_IsTheOneThatTheSiloStartsWith()
    {
        var text = File.ReadAllText(Repository.PathOf("deploy/images/Dockerfile"));
        Assert.Contains($"FROM litestream/litestream:{LitestreamBinary.RequiredVersion[1..]} AS", text, StringComparison.Ordinal);
        Assert.Contains($"= {LitestreamBinary.RequiredVersion}", text, StringComparison.Ordinal);
    }

    private static List<List<(string Name, string Arguments)>> Stages(string file)
    {
        var stages = new List<List<(string, string)>>();
        foreach (var instruction in Instructions(file))
        {
            if (instruction.Name == "FROM") stages.Add([]);
            stages[^1].Add(instruction);
        }
        return stages;
    }

    private static IEnumerable<(string Name, string Arguments)> Instructions(string file)
    {
        var text = string.Join('\n', File.ReadLines(Repository.PathOf(file)).Where(line => !line.StartsWith('#')));
        return
            from line in Continuation().Replace(text, " ").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            let words = line.Split(' ', 2)
            select (words[0], words[1]);
    }

    [GeneratedRegex("^[a-z0-9./-]+:v?[0-9]+\\.[0-9][a-z0-9.-]*$")]
    private static partial Regex PinnedImage();

    [GeneratedRegex("(?:--from=|^FROM )([a-z]+)(?= |$)")]
    private static partial Regex StageUse();

    [GeneratedRegex(" *\\\\\n *")]
    private static partial Regex Continuation();
}
