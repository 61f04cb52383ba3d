using System.Diagnostics;

namespace Silo.SystemTests;

/// <summary>The script that runs a cluster of plain processes, as the README has it.</summary>
[Collection(OneCluster.Name)]
public sealed class LocalClusterTests
{
    [Theory]
    [InlineData]
    [InlineData("--postgres")]
    public async Task Script_UpToDown_DoesWhatItSays(params string[] options)
    {
        await using var machine = new Machine();
        // PostgreSQL's own user must reach its folder, and cannot pass through one that is only ours.
        var data = options.Length > 0 ? $"/dev/shm/silo-test-cluster-{Guid.NewGuid():n}" : machine["cluster"];
        try
        {
            await TryAsync(machine, data, options);
        }
        finally
        {
            if (Directory.Exists(Path.Combine(data, "run"))) await RunAsync(data, ["down"]);
            if (Directory.Exists(data)) Directory.Delete(data, recursive: true);
        }
    }

    private static async Task TryAsync(Machine machine, string data, string[] options)
    {
        var up = await RunAsync(data, ["up", "--silos", "2", "--gateways", "1", "--no-build", .. options]);
        var url = Between(up, "curl -X POST ", "/api/contacts");
        using var service = new Service(url);
        var member = service.With(Between(up, "export TOKEN=", "\n"));
        var admin = service.With(Between(up, "export ADMIN=", "\n"));
        (await member.AddContactAsync("Ada")).Is(201);
        Assert.Equal("replicated", (await member.AddContactAsync("Bo", "replicated")).Is(201).Durability);
        Assert.Equal(2, Lines(await RunAsync(data, ["status"]), "silo-").Count(line => line.Contains("runs", StringComparison.Ordinal)));

        Assert.Contains("silo-1 ended", await RunAsync(data, ["kill", "1"]), StringComparison.Ordinal);
        Assert.Contains("ended", Lines(await RunAsync(data, ["status"]), "silo-1").Single(), StringComparison.Ordinal);
        await Eventually.GetAsync(async () => (await member.AddContactAsync("Cy")).Status == 201 ? "yes" : null, "the organization is written to without silo 1");
        Assert.Contains("silo-1 serves", await RunAsync(data, ["start", "1"]), StringComparison.Ordinal);
        Assert.Contains("silo-2 ended", await RunAsync(data, ["stop", "2"]), StringComparison.Ordinal);
        await Eventually.GetAsync(async () => (await member.GetAsync("/api/contacts")).Status == 200 ? "yes" : null, "the organization is read without silo 2");
        Assert.Superset(new HashSet<string>(["Ada", "Bo"]), new HashSet<string>(await member.NamesAsync()));
        (await admin.GetAsync("/dashboard/")).Is(200);
        (await member.GetAsync("/dashboard/")).Is(403);
        (await service.With(null).GetAsync("/dashboard/")).Is(401);

        Assert.Contains("All processes ended", await RunAsync(data, ["down"]), StringComparison.Ordinal);
        await machine.OnlyRunsAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData(" 1")]
    public async Task Script_ProcessThatIsNobodyOfIts_IsLeftAlone(string started)
    {
        await using var machine = new Machine();
        using var stranger = Process.Start("tail", ["-f", "/dev/null"]);
        try
        {
            var run = Directory.CreateDirectory(Path.Combine(machine["cluster"], "run")).FullName;
            await File.WriteAllTextAsync(Path.Combine(run, "silo-1.pid"), $"{stranger.Id}{started}\n", TestContext.Current.CancellationToken);
            Assert.Contains("ended", Lines(await RunAsync(machine["cluster"], ["status"]), "silo-1").Single(), StringComparison.Ordinal);
            Assert.Contains("All processes ended", await RunAsync(machine["cluster"], ["down"]), StringComparison.Ordinal);
            Assert.False(stranger.HasExited);
        }
        finally
        {
            stranger.Kill();
            await stranger.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task Script_WithoutACommand_TellsWhichThereAre()
    {
        await using var machine = new Machine();
        var help = await RunAsync(machine["cluster"], ["--help"]);
        foreach (var command in (string[])["up", "status", "kill N", "stop N", "start N", "down"]) Assert.Contains($"local-cluster.sh {command}", help, StringComparison.Ordinal);
    }

    private static string Between(string text, string begin, string end)
    {
        var from = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }

    private static IEnumerable<string> Lines(string text, string prefix) => text.Split('\n').Where(line => line.StartsWith(prefix, StringComparison.Ordinal));

    private static async Task<string> RunAsync(string data, string[] arguments)
    {
        var start = new ProcessStartInfo("bash", [Repository("deploy/local-cluster.sh"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["SILO_CLUSTER_DATA"] = data;
        start.Environment["SILO_CLUSTER_SETTINGS"] = string.Join(' ', QuickLitestream.Settings);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}\n{await error}");
        return output;
    }

    private static string Repository(string path)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Silo.sln"))) folder = folder.Parent!;
        return Path.Combine(folder.FullName, path);
    }
}
