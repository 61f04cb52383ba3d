using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Trace;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class GatewayTelemetryTests(StandInCluster cluster)
{
    [Fact]
    public async Task Metrics_CountRequestsByRouteAndNeverByOrganization()
    {
        await using var gateway = await TestGateway.Start(cluster.Client);
        using (var call = await gateway.Get("/api/contacts/secret-id", gateway.Member("secret-org"))) await call.Problem(404, "contact_not_found");
        using var metrics = await gateway.Get("/metrics");
        Assert.Equal(HttpStatusCode.OK, metrics.StatusCode);
        var text = await metrics.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Contains("http_server_request_duration_seconds_count", text, StringComparison.Ordinal);
        Assert.Contains("http_route=\"/api/contacts/{id}\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_WithAPortOfTheirOwn_AreNotOnTheOthers()
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Gateway:MetricsPort", "1"));
        using var response = await gateway.Get("/metrics");
        await response.Problem(404, "not_found");
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("http://127.0.0.1:1", true)]
    public async Task Tracing_IsRegisteredOnlyForACollector(string endpoint, bool registered)
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint));
        Assert.Equal(registered, gateway.Services.GetService<TracerProvider>() is not null);
    }
}
