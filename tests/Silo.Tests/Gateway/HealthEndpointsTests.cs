using System.Net;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class HealthEndpointsTests(StandInCluster cluster) : IAsyncLifetime
{
    private TestGateway _gateway = null!;

    public async ValueTask InitializeAsync() => _gateway = await TestGateway.Start(cluster.Client);

    public async ValueTask DisposeAsync()
    {
        cluster.StandIns.Failures.Clear();
        if (cluster.StandIns.Gates.TryRemove(StandInActiveDatabasesGrain.Name, out var gate)) gate.TrySetResult();
        await _gateway.DisposeAsync();
    }

    [Theory]
    [InlineData("/health/live", "live")]
    [InlineData("/health/ready", "ready")]
    public async Task Health_OfAWorkingGateway_IsOk(string path, string status)
    {
        using var response = await _gateway.Get(path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(status, (await response.Json()).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Ready_WithoutACatalog_IsOk()
    {
        cluster.StandIns.Failures[StandInCatalogGrain.Name] = new InvalidOperationException("secret");
        using var ready = await _gateway.Get("/health/ready");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
    }

    [Fact]
    public async Task Ready_WithoutASilo_IsUnavailable()
    {
        cluster.StandIns.Failures[StandInActiveDatabasesGrain.Name] = new InvalidOperationException("secret");
        await IsUnavailable();
    }

    [Fact]
    public async Task Ready_WithSilentSilos_IsUnavailable()
    {
        cluster.StandIns.Gates[StandInActiveDatabasesGrain.Name] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await IsUnavailable();
    }

    private async Task IsUnavailable()
    {
        using var ready = await _gateway.Get("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("""{"status":"unavailable"}""", (await ready.Json()).GetRawText());
        using var live = await _gateway.Get("/health/live");
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }
}
