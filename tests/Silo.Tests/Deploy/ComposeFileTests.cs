using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Silo.Tests.Architecture;

namespace Silo.Tests.Deploy;

/// <summary><c>docker-compose.yml</c>, as far as it can be judged without an engine.</summary>
public sealed partial class ComposeFileTests : IDisposable
{
    private static readonly string[] Published = ["proxy", "grafana"];
    private static readonly JsonNode File = Yaml.Load(Repository.PathOf("docker-compose.yml"));

    private readonly TestFolder _folder = new();

    public static TheoryData<string> Services => [.. File["services"].Members().Select(service => service.Key)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task File_BySchemaAndLinter_HasNoErrors() => Assert.Equal("", await DeployTools.LintComposeAsync(Repository.PathOf("docker-compose.yml")));

    [Fact]
    public async Task Linter_OfAMisspeltKey_Finds()
    {
        var text = await System.IO.File.ReadAllTextAsync(Repository.PathOf("docker-compose.yml"), TestContext.Current.CancellationToken);
        await System.IO.File.WriteAllTextAsync(_folder["docker-compose.yml"], text.Replace("stop_grace_period", "stop_grace_periode", StringComparison.Ordinal), TestContext.Current.CancellationToken);

        Assert.Contains("must NOT have additional properties", await DeployTools.LintComposeAsync(_folder["docker-compose.yml"]), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Services))]
    public void Service_IsConfinedAndBounded(string name)
    {
        var service = Service(name);
        Assert.Equal("true", service["read_only"].Text());
        Assert.Equal(["ALL"], service["cap_drop"].Items().Select(Yaml.Text));
        Assert.Equal(["no-new-privileges:true"], service["security_opt"].Items().Select(Yaml.Text));
        Assert.Null(service["privileged"]);
        Assert.NotNull(service["restart"]);
        Assert.NotNull(service["logging"]?["options"]?["max-size"]);
        var limits = service["deploy"]?["resources"]?["limits"];
        Assert.All(["cpus", "memory", "pids"], limit => Assert.NotNull(limits?[limit]));
        Assert.True(Yaml.Duration(service["stop_grace_period"].Text()!) > TimeSpan.Zero);
    }

    [Theory]
    [MemberData(nameof(Services))]
    public void Service_HasAHealthCheckWithoutAShell(string name)
    {
        var check = Service(name)["healthcheck"];
        Assert.Equal("CMD", check?["test"]?[0].Text());
        Assert.True(Yaml.Duration(check!["timeout"].Text()!) <= Yaml.Duration(check["interval"].Text()!));
        Assert.All(["start_period", "retries"], setting => Assert.NotNull(check[setting]));
    }

    [Theory]
    [MemberData(nameof(Services))]
    public void Service_Image_IsPinned(string name) => Assert.Matches(PinnedImage(), Service(name)["image"].Text());

    [Theory]
    [MemberData(nameof(Services))]
    public void Service_Ports_ArePublishedOnLoopbackIfAtAll(string name)
    {
        var ports = Service(name)["ports"].Items().Select(Yaml.Text).ToList();
        var networks = Service(name)["networks"].Items().Select(Yaml.Text);
        Assert.Equal(Published.Contains(name) ? ["inside", "outside"] : ["inside"], networks);
        Assert.Equal(Published.Contains(name), ports.Count > 0);
        Assert.All(ports, port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Services))]
    public void Service_Files_Exist(string name) => Assert.All(
        from volume in Service(name)["volumes"].Items()
        let source = volume.Text()!.Split(':')[0]
        where source.StartsWith("./", StringComparison.Ordinal)
        select source,
        source => Assert.True(Path.Exists(Repository.PathOf(source)), $"{source} does not exist"));

    [Theory]
    [InlineData("silo-1")]
    [InlineData("silo-2")]
    [InlineData("gateway-1")]
    [InlineData("gateway-2")]
    public void Settings_OfOurs_AreOptionsThatTakeTheValue(string name) => Assert.Empty(
        from setting in Service(name)["environment"].Members()
        let problem = ContainerSettings.Problem(setting.Key, setting.Value.Text())
        where problem is not null
        select problem);

    [Theory]
    [InlineData("silo-1")]
    [InlineData("silo-2")]
    public void Silo_StopAndMemory_FitIntoWhatItIsGiven(string name)
    {
        var silo = Service(name);
        ContainerSettings.AssertSiloFits(
            setting => silo["environment"]?[setting].Text(),
            Yaml.Duration(silo["stop_grace_period"].Text()!),
            Yaml.Bytes(silo["deploy"]!["resources"]!["limits"]!["memory"].Text()!));
    }

    [Fact]
    public void Silos_DataFolders_AreTheirOwn()
    {
        var volumes = File["services"].Members().Where(service => service.Key.StartsWith("silo-", StringComparison.Ordinal))
            .Select(service => Assert.Single(service.Value!["volumes"].Items()).Text()!).ToList();
        Assert.Equal(2, volumes.Count);
        Assert.Equal(volumes.Count, volumes.Distinct().Count());
        Assert.All(volumes, volume => Assert.NotNull(File["volumes"]!.AsObject().Single(known => known.Key == volume.Split(':')[0]).Key));
    }

    [Fact]
    public void Secrets_AreAskedForAndNotWritten()
    {
        var text = System.IO.File.ReadAllText(Repository.PathOf("docker-compose.yml"));
        var asked = RequiredVariable().Matches(text).Select(match => match.Groups[1].Value).Distinct().Order(StringComparer.Ordinal);
        var example = System.IO.File.ReadLines(Repository.PathOf(".env.example")).Where(line => !line.StartsWith('#') && line.Length > 0).ToList();
        Assert.Equal(asked, example.Select(line => line.TrimEnd('=')).Order(StringComparer.Ordinal));
        Assert.All(example, line => Assert.EndsWith("=", line, StringComparison.Ordinal));
        Assert.Empty(
            from service in File["services"].Members()
            from setting in service.Value!["environment"].Members()
            where SecretName().IsMatch(setting.Key) && !setting.Value.Text()!.Contains(":?", StringComparison.Ordinal)
            select $"{service.Key}: {setting.Key}");
    }

    [Fact]
    public void SilosAndGateways_AreAllKnownToProxyAndPrometheus()
    {
        var names = File["services"].Members().Select(service => service.Key).ToList();
        var gateways = names.Where(name => name.StartsWith("gateway-", StringComparison.Ordinal)).ToList();
        Assert.Equal(gateways.Select(name => $"{name}:8080"), Service("proxy")["environment"]!["PROXY_GATEWAYS"].Text()!.Split(' '));

        var jobs = Yaml.Load(Repository.PathOf("config/prometheus/prometheus.yaml"))["scrape_configs"].Items()
            .ToDictionary(job => job["job_name"].Text()!, job => job["static_configs"]![0]!["targets"].Items().Select(Yaml.Text).ToList());
        Assert.Equal(gateways.Select(name => $"{name}:{Service(name)["environment"]!["Gateway__MetricsPort"].Text()}"), jobs["silo-gateway"]);
        Assert.Equal(names.Where(name => name.StartsWith("silo-", StringComparison.Ordinal)).Select(name => $"{name}:8081"), jobs["silo"]);
    }

    private static JsonNode Service(string name) => File["services"]![name]!;

    [GeneratedRegex("^[a-z0-9./-]+:v?[0-9]+\\.[0-9][a-z0-9.-]*$")]
    private static partial Regex PinnedImage();

    [GeneratedRegex("\\$\\{([A-Z_]+):\\?[^}]+}")]
    private static partial Regex RequiredVariable();

    [GeneratedRegex("PASSWORD|SECRET|TOKEN|SigningKey|ConnectionStrings")]
    private static partial Regex SecretName();
}
