using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Silo.Benchmarks.Machine;

/// <summary>What the numbers were measured on and with.</summary>
/// <param name="Cores">Cores that this process may use.</param>
/// <param name="MemoryMb">Memory of the machine.</param>
/// <param name="Kernel">Release of the kernel.</param>
/// <param name="Runtime">The .NET runtime.</param>
/// <param name="Commit">The commit that is checked out, with "+" when files differ from it; null outside a repository.</param>
/// <param name="HostSettings">Runtime settings of the standalone host, which the floor runs with too.</param>
internal sealed record MachineFacts(int Cores, long MemoryMb, string Kernel, string Runtime, string? Commit, JsonNode HostSettings)
{
    public static MachineFacts Read() => new(
        Environment.ProcessorCount,
        long.Parse(File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024,
        File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
        RuntimeInformation.FrameworkDescription,
        Git("describe --always --dirty=+ --abbrev=12 --exclude=*"),
        JsonNode.Parse(File.ReadAllText(Hosts.ServedProcess.RuntimeSettings))!["runtimeOptions"]?["configProperties"]?.DeepClone() ?? new JsonObject());

    private static string? Git(string arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", arguments)
            {
                WorkingDirectory = AppContext.BaseDirectory,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var answer = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return git.ExitCode == 0 ? answer : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
