using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Silo.SystemTests;

/// <summary>deploy/OPERATIONS.md: what it tells to type is typed, in its order.</summary>
[Collection(OneCluster.Name)]
public sealed partial class OperationsGuideTests
{
    private static readonly string Root = FindRoot();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Commands_OneAfterTheOther_DoWhatTheyAreFor()
    {
        var guide = await File.ReadAllTextAsync(Path.Combine(Root, "deploy/OPERATIONS.md"), Cancellation);
        var blocks = Block().Matches(guide).Select(match => match.Groups[1].Value).ToList();
        Assert.True(blocks.Count >= 8, $"Only {blocks.Count} blocks were found.");
        var script = string.Join('\n', blocks)
            // What was built is tried, not another build of it; and what is written goes onto this machine's disk.
            .Replace("local-cluster.sh up ", "local-cluster.sh up --no-build ", StringComparison.Ordinal)
            .Replace("dotnet run --project src/Silo.Cli --", $"\"{HostProcess.Program("silo")}\"", StringComparison.Ordinal)
            .Replace("up.txt", "\"$SILO_CLUSTER_DATA/up.txt\"", StringComparison.Ordinal)
            .Replace("--out demo.db", "--out \"$SILO_CLUSTER_DATA/demo.db\"", StringComparison.Ordinal)
            // Somebody has used the organization before an operator looks at it.
            .Replace("silo databases\n", """curl -fsS -X POST -H "Authorization: Bearer $(sed -n 's/.*export TOKEN=//p' "$SILO_CLUSTER_DATA/up.txt")" -H 'Silo-Durability: replicated' -H 'Content-Type: application/json' -d '{"name":"Ada"}' "$SILO_URL/api/contacts" """ + "\nsilo databases\n", StringComparison.Ordinal);
        await using var machine = new Machine();
        var data = machine["cluster"];
        Directory.CreateDirectory(data);
        try
        {
            var said = await BashAsync(data, "set -euo pipefail\nset -x\n" + script);
            foreach (var expected in (string[])["demo", "silo-2 ended", "silo-2 serves", "demo-copy is made of it", "1 contacts", "All processes ended"]) Assert.Contains(expected, said, StringComparison.Ordinal);
            Assert.True(new FileInfo(Path.Combine(data, "demo.db")).Length > 0);
        }
        finally
        {
            if (Directory.Exists(Path.Combine(data, "run"))) await BashAsync(data, "deploy/local-cluster.sh down");
        }
        await machine.OnlyRunsAsync();
    }

    [Fact]
    public void Alerts_OfTheRules_AreAllInTheGuide()
    {
        var guide = File.ReadAllText(Path.Combine(Root, "deploy/OPERATIONS.md"));
        var rules = Alert().Matches(File.ReadAllText(Path.Combine(Root, "config/prometheus/rules.yaml"))).Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(rules);
        Assert.Equal(rules.Order(StringComparer.Ordinal), Told().Matches(guide).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    private static async Task<string> BashAsync(string data, string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script]) { WorkingDirectory = Root, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["SILO_CLUSTER_DATA"] = data;
        start.Environment["SILO_CLUSTER_SETTINGS"] = string.Join(' ', QuickLitestream.Settings);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync(Cancellation);
        var output = await process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        if (process.ExitCode != 0) Assert.Fail($"It ended with {process.ExitCode}:\n{output}\n{await errors}\n{Logged(data)}");
        return output + await errors;
    }

    /// <summary>What the processes thought worth a warning, and what became of the organizations: their logs go with the folder.</summary>
    private static string Logged(string data) => string.Join('\n', Directory.EnumerateFiles(data, "*.log", SearchOption.AllDirectories)
        .SelectMany(file => File.ReadLines(file).Where(line => !line.Contains(" info: ", StringComparison.Ordinal) || line.Contains(" Organization demo", StringComparison.Ordinal))
            .Select(line => $"{Path.GetFileName(file)}: {line}")));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Silo.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }

    [GeneratedRegex("^```sh\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex("- alert: (\\w+)")]
    private static partial Regex Alert();

    [GeneratedRegex("^\\| `(Silo\\w+)` \\|", RegexOptions.Multiline)]
    private static partial Regex Told();
}
