using System.Net;
using System.Net.Sockets;

namespace Silo.SystemTests;

/// <summary>A start that cannot succeed ends with exit code 1 and says in words for an operator what to do.</summary>
public sealed class StartTests
{
    private static readonly string[] Anywhere = ["--urls", "http://127.0.0.1:0", "--bucket-port", "0"];

    private static TcpListener Serve(out int port)
    {
        var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        port = ((IPEndPoint)other.LocalEndpoint).Port;
        return other;
    }

    private static async Task<string> RefusalAsync(HostProcess host)
    {
        Assert.Equal(1, await host.ExitAsync());
        Assert.DoesNotContain("   at ", host.Output + host.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", host.Output + host.Errors, StringComparison.Ordinal);
        return Assert.Single(host.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static HostProcess Start(Machine machine, params string[] arguments) =>
        machine.Start([HostProcess.Program("Silo.Standalone"), .. Anywhere, "--data", machine.Data, .. arguments]);

    [Fact]
    public async Task Start_ReadyFile_SaysWhoAndWhere()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        Assert.Equal(silo.Process.Identity.Pid, silo.Ready.Pid);
        Assert.Equal(machine.Data, silo.Ready.DataDirectory);
        Assert.StartsWith("http://127.0.0.1:", silo.Ready.Url, StringComparison.Ordinal);
        Assert.StartsWith("http://127.0.0.1:", silo.Ready.BucketUrl, StringComparison.Ordinal);
        (await silo.Service.With(null).GetAsync("/health/ready")).Is(200);
        foreach (var folder in (string[])[machine.Data, machine.Databases])
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
    }

    [Fact]
    public async Task Start_WatchesNoFiles()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        Assert.False(silo.Process.WatchesFiles);
    }

    [Fact]
    public async Task Start_WithoutAKey_PrintsTokensThatWork()
    {
        await using var machine = new Machine();
        var host = Start(machine);
        var ready = await host.ReadyAsync();
        await Eventually.IsAsync(() => host.Output.Contains("export ADMIN=", StringComparison.Ordinal), "the tokens are printed");
        using var service = new Service(ready.Url!);

        (await service.With(Printed("TOKEN")).AddContactAsync("Ada")).Is(201);
        (await service.With(Printed("ADMIN")).GetAsync("/api/admin/databases/demo")).Is(200);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(machine.Data, "signing-key")));

        string Printed(string name) => host.Output.Split('\n').Single(line => line.Contains($"export {name}=", StringComparison.Ordinal)).Split('=', 2)[1];
    }

    [Fact]
    public async Task Start_AnotherLitestreamOnPath_IsRefused()
    {
        await using var machine = new Machine();
        var other = machine["litestream"];
        await File.WriteAllTextAsync(other, "#!/bin/sh\necho v0.5.0\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(other, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var host = machine.Start(
            [HostProcess.Program("Silo.Standalone"), .. Anywhere, "--data", machine.Data],
            ("PATH", $"{Path.GetDirectoryName(other)}:{Environment.GetEnvironmentVariable("PATH")}"));

        var refusal = await RefusalAsync(host);

        Assert.Contains($"'{other}' is not Litestream v0.3.13", refusal, StringComparison.Ordinal);
        Assert.Contains("Litestream:Path", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Silo.Standalone", "127.0.0.1")]
    [InlineData("Silo.Standalone", "localhost")]
    [InlineData("Silo.Standalone", "*")]
    [InlineData("Silo.Gateway", "127.0.0.1")]
    public async Task Start_AddressInUse_IsRefusedBeforeAnythingStarts(string program, string host)
    {
        await using var machine = new Machine();
        using var other = Serve(out var port);
        string[] data = program == "Silo.Standalone" ? ["--data", machine.Data] : [];

        var refusal = await RefusalAsync(machine.Start([HostProcess.Program(program), "--urls", $"http://{host}:{port}", .. data]));

        Assert.Contains($":{port}", refusal, StringComparison.Ordinal);
        Assert.Contains("--urls", refusal, StringComparison.Ordinal);
        Assert.False(Directory.Exists(machine.Data));
    }

    [Fact]
    public async Task Start_BucketsPortInUse_IsRefused()
    {
        await using var machine = new Machine();
        using var other = Serve(out var port);

        Assert.Contains($"127.0.0.1:{port}", await RefusalAsync(machine.Start(
            [HostProcess.Program("Silo.Standalone"), .. Anywhere[..2], "--bucket-port", $"{port}", "--data", machine.Data])), StringComparison.Ordinal);
        await machine.OnlyRunsAsync();
    }

    [Fact]
    public async Task Start_SecondOnTheSameData_IsRefusedAndTheFirstServesOn()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        (await silo.Member("acme").AddContactAsync("Ada")).Is(201);

        Assert.Contains(machine.Data, await RefusalAsync(Start(machine)), StringComparison.Ordinal);

        (await silo.Member("acme").AddContactAsync("Grace", "replicated")).Is(201);
        Assert.Equal(["Grace", "Ada"], await silo.Member("acme").NamesAsync());
    }

    [Fact]
    public async Task Start_DataFolderThatCannotBeWritten_IsRefused()
    {
        await using var machine = new Machine();
        await File.WriteAllTextAsync(machine["file"], "", TestContext.Current.CancellationToken);

        foreach (var folder in (string[])[machine["file"], Path.Combine(machine["file"], "below"), "/proc/silo"])
            Assert.Contains(folder, await RefusalAsync(machine.Start([HostProcess.Program("Silo.Standalone"), .. Anywhere, "--data", folder])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_OwnBucket_WaitsForTheDisk()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        (await silo.Member("demo").AddContactAsync("Ada", "replicated")).Is(201);
        Assert.InRange(await silo.Bucket.FlushesAsync(), 2, long.MaxValue);
    }

    [Fact]
    public async Task Start_OwnBucketThatIsDamaged_IsRefused()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        (await silo.Member("demo").AddContactAsync("Ada", "replicated")).Is(201);
        await silo.TerminateAsync();
        var contents = Path.Combine(machine.Data, "bucket", "buckets", "silo", "content");
        foreach (var content in Directory.GetFiles(contents)) File.Delete(content);

        Assert.Contains(contents, await RefusalAsync(Start(machine)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--Database:IdleTimeout=soon", "Database:IdleTimeout")]
    [InlineData("--Database:IdleTimeout=00:00:00", "IdleTimeout")]
    [InlineData("--Litestream:CheckpointPages=1", "CheckpointPages")]
    [InlineData("--Auth:SigningKey=short", "Auth:SigningKey")]
    [InlineData("--Litestream:Path=/nowhere/litestream", "Litestream:Path")]
    public async Task Start_SettingThatIsWrong_IsRefused(string setting, string named)
    {
        await using var machine = new Machine();
        Assert.Contains(named, await RefusalAsync(Start(machine, setting)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ReadyFileThatCannotBeWritten_IsRefusedAndAllIsPutAway()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        (await silo.Member("acme").AddContactAsync("Ada")).Is(201);
        Assert.Equal(0, await silo.TerminateAsync());
        var nowhere = machine["none/ready.json"];
        var commands = new List<string[]>
        {
            (string[])[HostProcess.Program("Silo.Standalone"), .. Anywhere, "--data", machine.Data],
            (string[])[HostProcess.Program("Silo.Cluster"), "--silo-port", "0", "--gateway-port", "0", $"--Database:DataDirectory={machine["databases"]}", $"--ConnectionStrings:Catalog={machine["catalog.db"]}", "--Gcs:BucketName=silo", "--Gcs:EmulatorHost=127.0.0.1:1"],
            (string[])[HostProcess.Program("Silo.Gateway"), "--urls", "http://127.0.0.1:0", $"--Auth:SigningKey={Service.SigningKey}", "--Clustering:GatewayPort=1", "--Gcs:BucketName=silo", "--Logging:LogLevel:Orleans=None"],
            (string[])[HostProcess.Program("Silo.GcsEmulator"), "--port", "0", "--data", machine["bucket"]],
        };
        foreach (var command in commands)
        {
            await using var host = HostProcess.Start([.. command, "--ready-file", nowhere], readyFile: null);
            Assert.Contains(nowhere, await RefusalAsync(host), StringComparison.Ordinal);
        }
        await machine.OnlyRunsAsync();
        silo = await machine.StartStandaloneAsync();
        Assert.Equal(["Ada"], await silo.Member("acme").NamesAsync());
    }

    [Theory]
    [InlineData("Silo.Standalone")]
    [InlineData("Silo.Gateway")]
    public async Task Start_HttpsWithoutACertificate_IsRefusedAndAllIsPutAway(string program)
    {
        await using var machine = new Machine();
        string[] command = program == "Silo.Standalone"
            ? [HostProcess.Program(program), "--urls", "https://127.0.0.1:0", "--bucket-port", "0", "--data", machine.Data]
            : [HostProcess.Program(program), "--urls", "https://127.0.0.1:0", $"--Auth:SigningKey={Service.SigningKey}", "--Clustering:GatewayPort=1", "--Gcs:BucketName=silo", "--Logging:LogLevel:Orleans=None"];
        // A certificate for development may be in the home of whoever runs this.
        var host = machine.Start(command, ("HOME", machine["home"]), ("DOTNET_CLI_HOME", machine["home"]));
        var refusal = await RefusalAsync(host);
        Assert.Contains("HTTPS cannot be served", refusal, StringComparison.Ordinal);
        Assert.Contains("Kestrel:Certificates:Default:Path", refusal, StringComparison.Ordinal);
        await machine.OnlyRunsAsync();
    }

    [Theory]
    [InlineData("Silo.Standalone", "8080")]
    [InlineData("Silo.Standalone", "http://127.0.0.1:80800")]
    [InlineData("Silo.Gateway", "ftp://127.0.0.1")]
    public async Task Start_UrlThatIsNone_IsRefusedBeforeAnythingStarts(string program, string url)
    {
        await using var machine = new Machine();
        var host = machine.Start([HostProcess.Program(program), "--urls", url]);
        Assert.Equal(1, await host.ExitAsync());
        Assert.Contains($"'{url}'", host.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", host.Output + host.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Silo.Standalone", "--bucket-port")]
    [InlineData("Silo.Cluster", "--silo-port")]
    [InlineData("Silo.Gateway", "--urls")]
    [InlineData("Silo.GcsEmulator", "--port")]
    public async Task Options_HelpAndUnknown_AreTold(string program, string option)
    {
        await using var machine = new Machine();
        var help = machine.Start([HostProcess.Program(program), "--help"]);
        Assert.Equal(0, await help.ExitAsync());
        Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Contains("--ready-file", help.Output, StringComparison.Ordinal);

        var unknown = machine.Start([HostProcess.Program(program), "--dta", machine.Data]);
        Assert.Equal(1, await unknown.ExitAsync());
        Assert.Contains("--dta", unknown.Errors, StringComparison.Ordinal);
    }
}
