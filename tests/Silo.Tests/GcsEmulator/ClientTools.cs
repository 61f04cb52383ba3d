using System.Diagnostics;
using System.Security.Cryptography;

namespace Silo.Tests.GcsEmulator;

/// <summary>The foreign programs that prove the emulator: where they are, and how they are run.</summary>
internal static class ClientTools
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Litestream 0.3.13, where the build places it.</summary>
    public static string Litestream => Path.Combine(AppContext.BaseDirectory, "litestream", "litestream");

    /// <summary>A folder in the build output with Google's Node client installed as its lock file says; made once per lock file.</summary>
    public static async Task<string> NodeClientAsync()
    {
        var source = Path.Combine(RepositoryRoot(), "tests", "Silo.Tests", "GcsEmulator", "node-client");
        var version = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(source, "package-lock.json"), Cancellation)))[..12];
        var folder = Path.Combine(AppContext.BaseDirectory, "node-client-" + version);
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        if (!File.Exists(Path.Combine(folder, "installed")))
        {
            await RunAsync(new ProcessStartInfo("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]) { WorkingDirectory = folder });
            await File.WriteAllTextAsync(Path.Combine(folder, "installed"), "", Cancellation);
        }
        return folder;
    }

    /// <summary>SIGTERM: asks a process to end in good order, and waits until it has.</summary>
    public static async Task TerminateAsync(Process process)
    {
        using (var kill = Process.Start("kill", ["-TERM", process.Id.ToString()])) await kill.WaitForExitAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
    }

    /// <summary>Runs a program to its end and answers what it wrote; a failure shows all of it.</summary>
    public static async Task<string> RunAsync(ProcessStartInfo command)
    {
        command.RedirectStandardOutput = command.RedirectStandardError = true;
        using var process = Process.Start(command)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(Cancellation);
            var errors = process.StandardError.ReadToEndAsync(Cancellation);
            await process.WaitForExitAsync(Cancellation);
            Assert.True(process.ExitCode == 0, $"{command.FileName} ended with {process.ExitCode}.\n{await output}\n{await errors}");
            return await output;
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Silo.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("The tests do not run from within the repository.");
    }
}
