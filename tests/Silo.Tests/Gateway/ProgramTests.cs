using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Silo.Contracts.Hosting;
using Silo.Gateway;
using Silo.Gateway.Authentication;

namespace Silo.Tests.Gateway;

public sealed class ProgramTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-gateway-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("--urls http://127.0.0.1:0", "", "--urls http://127.0.0.1:0")]
    [InlineData("--A:B=c --urls x --D:E=f=g", "--A:B=c --D:E=f=g", "--urls x")]
    [InlineData("--A:B c --help", "--A:B c", "--help")]
    [InlineData("--url x", "", "--url x")]
    public void Arguments_ArePartedIntoSettingsAndOptions(string arguments, string settings, string options)
    {
        var parted = SettingArguments.Split(arguments.Split(' '));
        Assert.Equal((settings, options), (string.Join(' ', parted.Settings), string.Join(' ', parted.Options)));
    }

    [Fact]
    public void ReadyFile_IsWrittenInOnePieceAndOverAnOldOne()
    {
        var path = Path.Combine(_folder.FullName, "ready");
        File.WriteAllText(path, "old");
        new ReadyFile { Url = "http://127.0.0.1:1", DataDirectory = "d" }.Write(path);
        Assert.Equal($$"""{"pid":{{Environment.ProcessId}},"url":"http://127.0.0.1:1","dataDirectory":"d"}""", File.ReadAllText(path));
        Assert.Single(_folder.GetFiles());
    }

    [Fact]
    public async Task Gateway_Started_SaysWhereItServesAndStopsOnSigterm()
    {
        var path = Path.Combine(_folder.FullName, "ready");
        using var process = Start("--urls", "http://127.0.0.1:0", "--ready-file", path, "--Clustering:GatewayPort=1", "--Gcs:BucketName=none", $"--Auth:SigningKey={DevelopmentTokens.NewSigningKey()}");
        await Eventually.IsAsync(() => File.Exists(path) || process.HasExited, "the gateway serves or ends");
        using (var ready = JsonDocument.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken)))
        {
            Assert.Equal(process.Id, ready.RootElement.GetProperty("pid").GetInt32());
            using var client = new HttpClient();
            using var live = await client.GetAsync(new Uri(ready.RootElement.GetProperty("url").GetString() + "/health/live"), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        }
        using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"])) await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public async Task Gateway_WithoutAKey_SaysWhichSettingIsMissing()
    {
        using var process = Start("--urls", "http://127.0.0.1:0", "--Gcs:BucketName=none");
        var said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("Auth:SigningKey", said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
    }

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(SiloGateway).Assembly.Location, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("Auth__", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }
}
