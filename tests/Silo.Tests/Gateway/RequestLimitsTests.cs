using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class RequestLimitsTests(StandInCluster cluster)
{
    private readonly string _organization = "org-" + Guid.NewGuid().ToString("N");

    [Fact]
    public async Task Organization_WithAFullQueue_IsRefusedAndNobodyElse()
    {
        await using var gateway = await TestGateway.Start(
            cluster.Client, null, ("Gateway:MaxConcurrentRequestsPerOrganization", "1"), ("Gateway:MaxQueuedRequestsPerOrganization", "1"));
        var gate = cluster.StandIns.Gates[_organization] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = gateway.Get("/api/contacts/count", gateway.Member(_organization));
        await cluster.StandIns.Arrival(_organization).WaitAsync(TestContext.Current.CancellationToken);

        // Of two more, one finds a place in the queue and one does not.
        var two = new[] { gateway.Get("/api/contacts/count", gateway.Member(_organization)), gateway.Get("/api/contacts/count", gateway.Member(_organization)) };
        using var refused = await await Task.WhenAny(two);
        await refused.Problem(429, "too_many_requests");
        using var other = await gateway.Get("/api/contacts/count", gateway.Member("other-" + _organization[..20]));
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);

        gate.SetResult();
        using var first = await running;
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        var answers = await Task.WhenAll(two);
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.TooManyRequests], answers.Select(answer => answer.StatusCode).Order());
    }

    [Fact]
    public async Task Gateway_WithAFullQueue_StillAnswersItsOrchestrator()
    {
        await using var gateway = await TestGateway.Start(
            cluster.Client, null, ("Gateway:MaxConcurrentRequests", "1"), ("Gateway:MaxQueuedRequests", "0"));
        var gate = cluster.StandIns.Gates[_organization] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = gateway.Get("/api/contacts/count", gateway.Member(_organization));
        await cluster.StandIns.Arrival(_organization).WaitAsync(TestContext.Current.CancellationToken);

        using var other = await gateway.Get("/api/contacts/count", gateway.Member("other"));
        await other.Problem(429, "too_many_requests");
        foreach (var path in new[] { "/health/live", "/health/ready", "/metrics" })
        {
            using var answer = await gateway.Get(path);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        gate.SetResult();
        using var first = await running;
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        using var next = await gateway.Get("/api/contacts/count", gateway.Member("other"));
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    /// <summary>What is left of the time to stop is for the databases, where they are in the same process.</summary>
    [Fact]
    public async Task Request_ThatGoesOnWhenTheGatewayStops_IsGivenUpAfterAWhile()
    {
        await using var gateway = await TestGateway.Start(
            cluster.Client, app => app.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(10)), ("Gateway:DrainTimeout", "00:00:00"));
        var gate = cluster.StandIns.Gates[_organization] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = gateway.Get("/api/contacts/count", gateway.Member(_organization));
        await cluster.StandIns.Arrival(_organization).WaitAsync(TestContext.Current.CancellationToken);
        await gateway.StopAsync().WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<HttpRequestException>(() => running);
        gate.SetResult();
    }

    [Fact]
    public async Task Headers_OverTheLimit_AreRefused()
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Gateway:MaxHeaderBytes", "4096"));
        Assert.StartsWith("HTTP/1.1 431 ", await gateway.SendRaw($"GET / HTTP/1.1\r\nHost: x\r\nA: {new string('a', 5_000)}\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_OverAConfiguredLimit_IsRefused()
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Gateway:MaxContactBytes", "1024"));
        using var response = await gateway.Send(HttpMethod.Post, "/api/contacts", gateway.Member(_organization), $$"""{"name":"{{new string('n', 1_100)}}"}""");
        await response.Problem(413, "payload_too_large");
    }
}
