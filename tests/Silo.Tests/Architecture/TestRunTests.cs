using System.Diagnostics;

namespace Silo.Tests.Architecture;

/// <summary>What <c>tests/run.sh</c> makes of the reports and exit codes of test programs.</summary>
public sealed class TestRunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("silo-run-").FullName;

    [Fact]
    public async Task Summary_SeveralPrograms_AddsUp() =>
        Assert.Equal(("7 passed, 0 failed, 0 skipped", 0), await SumAsync($"count 0 {Report(5, 0, 0)}; count 0 {Report(2, 0, 0)}"));

    [Fact]
    public async Task Summary_FailedTest_FailsTheRun() =>
        Assert.Equal(("5 passed, 2 failed, 1 skipped", 1), await SumAsync($"count 2 {Report(3, 2, 1)}; count 0 {Report(2, 0, 0)}"));

    [Fact]
    public async Task Summary_ProgramWithoutTests_IsNoFailure() =>
        Assert.Equal(("3 passed, 0 failed, 0 skipped", 0), await SumAsync($"count 0 {Report(3, 0, 0)}; count 8 {Report(0, 0, 0)}"));

    [Fact]
    public async Task Summary_NoTestAtAll_FailsTheRun() =>
        Assert.Equal(("0 passed, 0 failed, 0 skipped", 1), await SumAsync($"count 8 {Report(0, 0, 0)}; count 8 missing.trx"));

    [Theory]
    [InlineData(134)]
    [InlineData(137)]
    [InlineData(2)]
    public async Task Summary_ProgramThatDied_CountsAsFailed(int exitCode)
    {
        Assert.Equal(("3 passed, 1 failed, 0 skipped", 1), await SumAsync($"count 0 {Report(3, 0, 0)}; count {exitCode} missing.trx"));
        Assert.Equal(("3 passed, 1 failed, 0 skipped", 1), await SumAsync($"count {exitCode} {Report(3, 0, 0)}"));
    }

    [Fact]
    public async Task Summary_ProgramThatLeavesNoReport_CountsAsFailed()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "cut.trx"), "<TestRun><Results>", TestContext.Current.CancellationToken);

        Assert.Equal(("0 passed, 1 failed, 0 skipped", 1), await SumAsync("count 0 missing.trx"));
        Assert.Equal(("0 passed, 1 failed, 0 skipped", 1), await SumAsync("count 0 cut.trx"));
    }

    [Fact]
    public async Task Program_ThatHangsAndDoesNotHearOfIt_IsKilledAndCountsAsFailed()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "Deaf"), "#!/bin/sh\ntrap '' TERM INT\nwhile :; do sleep 1; done\n", TestContext.Current.CancellationToken);
        Assert.Equal(
            ("3 passed, 1 failed, 0 skipped", 1),
            await SumAsync($"chmod +x Deaf; kill_after=0.2s; count 0 {Report(3, 0, 0)}; run_tests ./Deaf reports"));
    }

    [Fact]
    public async Task Summary_SkippedTest_FailsOnlyTheAutomaticCheck()
    {
        Assert.Equal(("2 passed, 0 failed, 1 skipped", 0), await SumAsync($"count 0 {Report(2, 0, 1)}"));
        Assert.Equal(("2 passed, 0 failed, 1 skipped", 1), await SumAsync($"CI=true; count 0 {Report(2, 0, 1)}"));
    }

    [Fact]
    public async Task Stage_ThatFails_CountsAsFailed() =>
        Assert.Equal(("2 passed, 1 failed, 0 skipped", 1), await SumAsync($"stage build false; count 0 {Report(2, 0, 0)}"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Report(int passed, int failed, int skipped)
    {
        var name = $"{Guid.NewGuid():N}.trx";
        File.WriteAllText(Path.Combine(_folder, name),
            $"""<TestRun><Results /><ResultSummary outcome="Completed"><Counters total="{passed + failed + skipped}" executed="{passed + failed}" passed="{passed}" failed="{failed}" error="0" notExecuted="{skipped}" /></ResultSummary></TestRun>""");
        return name;
    }

    private async Task<(string LastLine, int ExitCode)> SumAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", $". '{Repository.PathOf("tests/run.sh")}'; unset CI; {script}; summary"])
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var bash = Process.Start(start)!;
        var errors = bash.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await errors;
        await bash.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (output.TrimEnd().Split('\n')[^1], bash.ExitCode);
    }
}
