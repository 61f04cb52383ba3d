using System.Diagnostics;
using Silo.Tests.Architecture;
using Silo.Tests.GcsEmulator;

namespace Silo.Tests.Deploy;

/// <summary>What stands between a container's first process and the silo.</summary>
public sealed class RunSiloTests : IDisposable
{
    // Other tests run real Litestreams at the same time. A process's name has at most 15 characters.
    private readonly string _litestream = $"ls{Guid.NewGuid():N}"[..15];
    private readonly TestFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Termination_IsPassedOnAndTheSilosExitCodeComesBack()
    {
        using var container = Start("trap 'exit 3' TERM; echo $$ > silo; while :; do read -r _ < never || :; done");
        try
        {
            await WrittenAsync("silo");
            await ClientTools.TerminateAsync(container);
            Assert.Equal(3, container.ExitCode);
        }
        finally
        {
            container.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task Crash_WaitsForTheLitestreamsThatItLeft()
    {
        await File.WriteAllTextAsync(_folder[_litestream], "#!/bin/sh\nread -r _ < bucket\necho uploaded > uploaded\n", Cancellation);
        File.SetUnixFileMode(_folder[_litestream], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var container = Start($"./{_litestream} & echo $$ > silo; wait");
        try
        {
            var silo = int.Parse(await WrittenAsync("silo"));
            await Eventually.IsAsync(() => Process.GetProcessesByName(_litestream).Length > 0, "Litestream runs");
            using (var killed = Process.GetProcessById(silo)) killed.Kill();
            await Eventually.IsAsync(() => IsWaiting(container.Id), "the container goes on without its silo");
            Assert.False(File.Exists(_folder["uploaded"]));

            await File.WriteAllTextAsync(_folder["bucket"], "there\n", Cancellation);
            await container.WaitForExitAsync(Cancellation);

            Assert.True(File.Exists(_folder["uploaded"]));
            Assert.Equal(137, container.ExitCode);
        }
        finally
        {
            container.Kill(entireProcessTree: true);
            foreach (var left in Process.GetProcessesByName(_litestream)) left.Kill();
        }
    }

    private Process Start(string silo)
    {
        using (var made = Process.Start("mkfifo", [_folder["never"], _folder["bucket"]])) made.WaitForExit();
        return Process.Start(new ProcessStartInfo(Repository.PathOf("deploy/images/run-silo.sh"), ["sh", "-c", silo])
        {
            WorkingDirectory = _folder.Path,
            Environment = { ["LINGER_FOR"] = _litestream, ["LINGER_SECONDS"] = "60" },
        })!;
    }

    private Task<string> WrittenAsync(string file) => Eventually.GetAsync(
        async () => File.Exists(_folder[file]) && await File.ReadAllTextAsync(_folder[file], Cancellation) is { Length: > 0 } text ? text : null,
        $"{file} is written");

    // The silo is its only child until it looks for Litestreams, and sleeps between two looks.
    private static bool IsWaiting(int container) => Process.GetProcessesByName("sleep").Any(sleep =>
    {
        using (sleep)
        {
            try
            {
                return File.ReadAllText($"/proc/{sleep.Id}/stat").Split(' ')[3] == container.ToString();
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    });
}
