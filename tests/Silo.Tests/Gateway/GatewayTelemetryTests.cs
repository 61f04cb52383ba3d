using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
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

    [Theory]
    [InlineData("1", null, true)]
    [InlineData("0", null, false)]
    [InlineData("0", "01", true)]
    [InlineData("1", "00", false)]
    [InlineData("1", "nonsense", false)]
    public async Task Request_IsTraced_AsTheCallerSaysOrInItsShare(string ratio, string? flags, bool traced)
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = Listen(spans);
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("Telemetry:TraceRatio", ratio));
        var (id, trace) = ($"c-{Guid.NewGuid():n}", Guid.NewGuid().ToString("n"));

        using var answer = await gateway.Send(HttpMethod.Get, $"/api/contacts/{id}", gateway.Member("traced-org"), configure: request =>
        {
            if (flags is not null) request.Headers.TryAddWithoutValidation("traceparent", $"00-{trace}-00f067aa0ba902b7-{flags}");
        });

        var problem = await answer.Problem(404, "contact_not_found");
        // A span ends after its answer has left; a gateway that has stopped has ended all.
        await gateway.StopAsync();
        var span = spans.SingleOrDefault(span => ((string?)span.GetTagItem("url.path"))?.EndsWith(id, StringComparison.Ordinal) ?? false);
        Assert.Equal(traced, span is not null);
        if (flags is "00" or "01") Assert.Equal(trace, problem.GetProperty("traceId").GetString());
        if (span is null) return;
        Assert.Equal(problem.GetProperty("traceId").GetString(), span.TraceId.ToHexString());
        Assert.Equal(("GET /api/contacts/{id}", ActivityKind.Server, 404), (span.DisplayName, span.Kind, span.GetTagItem("http.response.status_code")));
    }

    /// <summary>A caller who traces everything makes his own trace of it, and not ours.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01")]
    public async Task Requests_MoreThanMayBeTraced_AreServedUntraced(string? parent)
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = Listen(spans);
        await using var gateway = await TestGateway.Start(
            cluster.Client, null, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("Telemetry:TraceRatio", "1"), ("Telemetry:MaxTracesPerSecond", "1"));
        var id = $"c-{Guid.NewGuid():n}";

        for (var i = 0; i < 200; i++)
        {
            using var answer = await gateway.Send(HttpMethod.Get, $"/api/contacts/{id}", gateway.Member("traced-org"), configure: request =>
            {
                if (parent is not null) request.Headers.TryAddWithoutValidation("traceparent", parent);
            });
            await answer.Problem(404, "contact_not_found");
        }

        await gateway.StopAsync();
        // One a second; a slow machine needs some seconds for them.
        Assert.InRange(spans.Count(span => ((string?)span.GetTagItem("url.path"))?.EndsWith(id, StringComparison.Ordinal) ?? false), 1, 199);
    }

    private static ActivityListener Listen(ConcurrentQueue<Activity> spans)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Silo.Gateway",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    [Fact]
    public async Task Metrics_TurnedOff_AreNotServed()
    {
        await using var gateway = await TestGateway.Start(cluster.Client, null, ("Telemetry:Metrics", "false"));
        using var response = await gateway.Get("/metrics");
        await response.Problem(404, "not_found");
    }

    [Theory]
    [InlineData("TraceRatio", "2")]
    [InlineData("MaxTracesPerSecond", "0")]
    public async Task Settings_OutOfRange_RefuseToStart(string setting, string value)
    {
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => TestGateway.Start(cluster.Client, null, ($"Telemetry:{setting}", value)));
        Assert.Contains(setting, refusal.Message, StringComparison.Ordinal);
    }
}
