using System.Text.RegularExpressions;

namespace Silo.Tests.Architecture;

/// <summary>
/// The repository says nothing of the machine that it was written on or of the network around it. What must not be written is put together
/// from parts here, so that this file passes its own rules.
/// </summary>
public sealed partial class RepositoryTextTests
{
    private static readonly string[] RegistryHosts =
    [
        "nuget" + ".org", "npmjs" + ".org", "npmjs" + ".com", "docker" + ".io", "docker" + ".com", "ghcr" + ".io", "gcr" + ".io", "quay" + ".io",
        "pkg" + ".dev", "mcr.microsoft" + ".com", "pypi" + ".org", "crates" + ".io", "proxy.golang" + ".org", "archive.ubuntu" + ".com",
    ];

    // The only addresses outside loopback, each in the files that need it. The first ones are names that happen to look like addresses.
    private static readonly (string Address, string Files)[] Addresses =
    [
        ("http" + "://schemas.microsoft.com/", ""),
        ("http" + "://doc.s3.amazonaws.com/2006-03-01", "src/Silo.GcsEmulator/"),
        ("https" + "://json-schema.org/", ""),
        ("http" + "://www.w3.org/2000/svg", "src/Silo.Gateway/Admin/"),
        ("https" + "://www.rfc-editor.org/", ""),
        ("https" + "://storage.googleapis.com", "src/Silo.Storage/Gcs/"),
        ("https" + "://www.googleapis.com/auth/", "src/Silo.Storage/Gcs/"),
        // Names that only the network of docker-compose.yml or of a Kubernetes cluster knows.
        ("http" + "://gcs:4443", ""),
        ("http" + "://collector:4317", "docker-compose.yml"),
        ("http" + "://collector.observability:4317", "deploy/kubernetes/"),
        ("http" + "://prometheus:9090", "config/grafana/"),
        ("http" + "://tempo:3200", "config/grafana/"),
    ];

    // A test that waits for time to pass is slow or wrong. Each file here says why it must.
    private static readonly Dictionary<string, string> WaitsAllowed = new()
    {
        ["tests/Silo.Tests/Eventually.cs"] = "the one poll for what another process does and tells nobody",
        ["tests/Silo.SystemTests/Faults/Pause.cs"] = "faults last, members pause, a slow network is late; nothing is expected to have happened after it",
    };

    [Fact]
    public void Files_Name_NoRegistry() => Assert.Empty(
        from line in Repository.Lines(Repository.Files)
        where RegistryHosts.Any(host => line.Text.Contains(host, StringComparison.OrdinalIgnoreCase))
        select Where(line));

    [Fact]
    public void Files_Addresses_AreLoopbackOrListed() => Assert.Empty(
        from line in Repository.Lines(Repository.Files)
        from address in Address().Matches(line.Text).Select(match => match.Value)
        where !Loopback().IsMatch(address) && !Addresses.Any(allowed => IsAllowed(allowed, line.File, address))
        select $"{Where(line)} has {address}");

    [Fact]
    public void Files_NumericAddresses_AreLoopback() => Assert.Empty(
        from line in Repository.Lines(Repository.Files.Where(file => !file.EndsWith("lock.json", StringComparison.Ordinal)))
        from address in NumericAddress().Matches(line.Text).Select(match => match.Value)
        where !address.StartsWith("127.", StringComparison.Ordinal) && address != "0.0.0.0"
        select $"{Where(line)} has {address}");

    [Fact]
    public void Files_Paths_AreOfNoOnesMachine() => Assert.Empty(
        from line in Repository.Lines(Repository.Files)
        where MachinePath().IsMatch(line.Text)
        select Where(line));

    [Fact]
    public void Tests_Wait_ForEventsNotForTime()
    {
        var waiting =
            from line in Repository.Lines(Repository.FilesEndingWith(".cs").Where(file => file.StartsWith("tests/", StringComparison.Ordinal)))
            where line.Text.Contains("Task" + ".Delay(", StringComparison.Ordinal) || line.Text.Contains("Thread" + ".Sleep(", StringComparison.Ordinal)
            select line;

        Assert.Empty(waiting.Where(line => !WaitsAllowed.ContainsKey(line.File)).Select(Where));
        Assert.Empty(WaitsAllowed.Keys.Except(waiting.Select(line => line.File)));
    }

    [Theory]
    [InlineData("http", "://127.0.0.1:8080/x", true)]
    [InlineData("http", "://localhost", true)]
    [InlineData("http", "://[::1]:5", true)]
    [InlineData("https", "://silo.example/callback", true)]
    [InlineData("http", "://localhost.evil.io", false)]
    [InlineData("https", "://example.com", false)]
    public void Loopback_OfAnAddress_IsTold(string scheme, string rest, bool loopback)
    {
        Assert.Matches(Address(), scheme + rest);
        Assert.Equal(loopback, Loopback().IsMatch(scheme + rest));
    }

    [Fact]
    public void MachinePath_OfALine_IsTold()
    {
        Assert.Matches(MachinePath(), "see /" + "home/someone/silo");
        Assert.Matches(MachinePath(), "\"/" + "work/silo\"");
        Assert.DoesNotMatch(MachinePath(), "artifacts/work/x and ./home/x and a//work");
    }

    private static bool IsAllowed((string Address, string Files) allowed, string file, string address) =>
        address.StartsWith(allowed.Address, StringComparison.Ordinal) && file.StartsWith(allowed.Files, StringComparison.Ordinal);

    private static string Where((string File, int Number, string Text) line) => $"{line.File}:{line.Number}";

    // A host that is put in at run time ("{host}", "$host", "<host>", "*", "+") is none.
    [GeneratedRegex(@"https?://[\w\[][^\s""'`<>()\\]*")]
    private static partial Regex Address();

    // Names under .example, .invalid and .test can never be anyone's (RFC 2606); 0.0.0.0 is where to listen, and nobody to talk to.
    [GeneratedRegex(@"^https?://(0\.0\.0\.0|127\.\d+\.\d+\.\d+|localhost|\[::1\]|[\w.-]+\.(example|invalid|test))(?![\w.-])")]
    private static partial Regex Loopback();

    [GeneratedRegex(@"(?<![\w.-])((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.-])")]
    private static partial Regex NumericAddress();

    [GeneratedRegex(@"(?<![\w./*})-])/(work|root|home|Users)/\w|[A-Z]:\\Users\\")]
    private static partial Regex MachinePath();
}
