using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Silo.Gateway.Clustering;
using Silo.LibSql;

namespace Silo.Tests.Gateway;

public sealed class ClusterConnectionTests
{
    [Fact]
    public async Task Gateway_StartedBeforeItsCluster_SaysSoAndHeals()
    {
        var (siloPort, gatewayPort) = (LoopbackPort.Take(), LoopbackPort.Take());
        await using var gateway = await TestGateway.Start(
            null,
            builder => builder.AddSiloClusterClient(),
            ("Clustering:GatewayPort", $"{gatewayPort}"), ("Clustering:ConnectionRetryDelay", "00:00:00.2"));
        using (var early = await gateway.Get("/api/contacts/count", gateway.Member("demo"))) await early.Problem(503, "cluster_unavailable");
        using (var early = await gateway.Get("/api/admin/databases", gateway.Tokens.Admin())) await early.Problem(503, "cluster_unavailable");
        using (var ready = await gateway.Get("/health/ready")) Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        using (var live = await gateway.Get("/health/live")) Assert.Equal(HttpStatusCode.OK, live.StatusCode);

        for (var round = 0; round < 2; round++) // the second silo takes the place of the first
        {
            using (var silo = await StartSilo(siloPort, gatewayPort))
            {
                await Until(gateway, HttpStatusCode.OK);
                using (var ready = await gateway.Get("/health/ready")) Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
                await silo.StopAsync(TestContext.Current.CancellationToken);
            }
            await Until(gateway, HttpStatusCode.ServiceUnavailable);
        }
    }

    // How long it takes is up to Orleans; that it happens is what must hold.
    private static Task<HttpResponseMessage> Until(TestGateway gateway, HttpStatusCode status) => Eventually.GetAsync(
        async () =>
        {
            using var response = await gateway.Get("/api/contacts/count", gateway.Member("demo"));
            if (response.StatusCode == status) return response;
            if (response.StatusCode != HttpStatusCode.OK) await response.Problem(503, "cluster_unavailable");
            return null;
        }, $"the gateway answers {status}");

    private static async Task<IHost> StartSilo(int siloPort, int gatewayPort)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering(siloPort, gatewayPort, serviceId: "silo", clusterId: "silo"); // as Silo.Cluster is called
            StandInCluster.Host(silo, new StandIns());
        });
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }
}
