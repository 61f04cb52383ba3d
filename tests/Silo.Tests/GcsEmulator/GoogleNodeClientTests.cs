using System.Diagnostics;

namespace Silo.Tests.GcsEmulator;

public sealed class GoogleNodeClientTests
{
    /// <summary>The script asserts by itself; what it says at its end is the list of what held.</summary>
    [Fact]
    public async Task NodeClient_EverythingItDoes_WorksAgainstTheEmulator()
    {
        var folder = await ClientTools.NodeClientAsync();
        await using var emulator = await Emulator.StartAsync();
        var command = new ProcessStartInfo("node", ["client.mjs", emulator.Http.BaseAddress!.GetLeftPart(UriPartial.Authority)]) { WorkingDirectory = folder };
        command.Environment.Remove("STORAGE_EMULATOR_HOST");
        var output = await ClientTools.RunAsync(command);
        Assert.Equal(
            ["buckets", "resumable", "chunked", "multipart", "streams", "ranges", "corruption", "list", "copy", "metadata", "preconditions", "retry"],
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
