using Microsoft.Extensions.Configuration;
using Silo.Cluster.Hosting;

namespace Silo.Tests.Cluster;

public sealed class ClusteringOptionsTests
{
    [Fact]
    public void Defaults_AreValid_AndListenWhereTheyAreReached()
    {
        Assert.Null(Problem());
        var options = new ClusteringOptions();
        Assert.Equal((null, null), (options.ListeningSiloPort, options.ListeningGatewayPort));
    }

    [Fact]
    public void ListeningPorts_BehindKnownOnes_AreValid() => Assert.Null(Problem(("ListeningSiloPort", "21111"), ("ListeningGatewayPort", "21112")));

    [Theory]
    [InlineData("ListeningSiloPort", "0")]
    [InlineData("ListeningGatewayPort", "65536")]
    [InlineData("AdvertisedAddress", "localhost")]
    [InlineData("ProbeInterval", "00:00:00.1")]
    public void Value_OutOfRange_IsRefusedByName(string key, string value) => Assert.Contains(key, Problem((key, value)), StringComparison.Ordinal);

    [Theory]
    [InlineData("ListeningSiloPort", "SiloPort")]
    [InlineData("ListeningGatewayPort", "GatewayPort")]
    public void ListeningPort_BehindOneThatTheSystemChooses_IsRefused(string listening, string advertised) =>
        Assert.Contains($"needs a Clustering:{advertised}", Problem((listening, "21111"), (advertised, "0")), StringComparison.Ordinal);

    private static string? Problem(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, string? (setting) => setting.Value)).Build();
        return new ClusteringOptionsValidator().Validate(null, configuration.Get<ClusteringOptions>() ?? new ClusteringOptions()).FailureMessage;
    }
}
