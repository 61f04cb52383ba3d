using System.Diagnostics;
using System.Reflection;
using Silo.Tests.GcsEmulator;

namespace Silo.Tests.Deploy;

/// <summary>The programs that check what only a container engine or a cluster would run; the build fetches them (DeployTools.targets).</summary>
internal static class DeployTools
{
    private static readonly string Folder =
        typeof(DeployTools).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "DeployTools").Value!;

    /// <summary>Errors of a Compose file, by the specification's JSON schema and a linter; nothing if there are none.</summary>
    public static Task<string> LintComposeAsync(string path) =>
        // Images that we build are named as well, so that others can be put in their place.
        RunAsync("node", ["node_modules/dclint/bin/dclint.cjs", "--quiet", "--disable-rule", "no-build-and-image", "--color=false", path]);

    /// <summary>Errors and warnings of a Dockerfile; nothing if there are none.</summary>
    public static Task<string> LintDockerfileAsync(string path) => RunAsync("node", ["node_modules/dockerfile-utils/bin/dockerfile-utils", "lint", path]);

    /// <summary>The manifests of an overlay, as <c>kubectl apply -k</c> would send them.</summary>
    public static Task<string> RenderAsync(string overlay) =>
        ClientTools.RunAsync(new ProcessStartInfo(Path.Combine(Folder, "kubectl", "kubectl"), ["kustomize", overlay]));

    private static async Task<string> RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return $"{output}{await errors}{(process.ExitCode == 0 ? "" : $"exit code {process.ExitCode}")}".Trim();
    }
}
