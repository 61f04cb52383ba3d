namespace Silo.SystemTests;

/// <summary>One request is followed from the gateway to the upload that made it durable, across processes.</summary>
public sealed class TracingTests
{
    private const string ParentId = "00f067aa0ba902b7";

    [Fact]
    public async Task Requests_AreFollowed_FromTheGatewayToTheUpload()
    {
        await using var machine = new Machine();
        await using var collector = await Collector.StartAsync();
        var service = await StartAsync(machine, collector);

        // The first request wakes the database, and waits for the bucket.
        var first = NewTrace();
        (await service.Member("acme").AddContactAsync("Ada", "replicated", Parent(first))).Is(201);
        await UntilAsync(collector, first, "POST /api/contacts/", "activate", "lease", "restore", "open", "insert", "wait replicated", "replicate");
        var spans = Of(collector, first);
        var (request, call) = (Single(spans, "POST /api/contacts/"), Single(spans, "org-database/CreateContact"));
        Assert.Equal(("silo-gateway", ParentId, "silo-cluster", request.Id), (request.Service, request.Parent, call.Service, call.Parent));
        Assert.Equal(Single(spans, "insert").Id, Single(spans, "replicate").Parent);
        Assert.Equal(Single(spans, "activate").Id, Single(spans, "lease").Parent);
        // From each there is a way up to the caller.
        foreach (var span in spans)
        {
            var at = span;
            while (at.Parent != ParentId) at = Assert.Single(spans, above => above.Id == at.Parent);
        }

        // Two writes that share an upload: each trace has it, and one says that it is the other's.
        var (second, third) = (NewTrace(), NewTrace());
        foreach (var answer in await Task.WhenAll(service.Member("acme").AddContactAsync("Bo", traceParent: Parent(second)), service.Member("acme").AddContactAsync("Cy", traceParent: Parent(third))))
            answer.Is(201);
        await UntilAsync(collector, second, "replicate");
        await UntilAsync(collector, third, "replicate");
        var (one, other) = (Single(Of(collector, second), "replicate"), Single(Of(collector, third), "replicate"));
        // (Unless the one was uploaded before the other was written.)
        Assert.True(one.Links.Count + other.Links.Count == 0 || one.Links.Contains(other.Id) != other.Links.Contains(one.Id));

        // A read, and what the silo's log says of the first request.
        var fourth = NewTrace();
        (await service.Member("acme").GetAsync("/api/contacts", Parent(fourth))).Is(200);
        await UntilAsync(collector, fourth, "GET /api/contacts/", "list");
        Assert.DoesNotContain(Of(collector, fourth), span => span.Name is "replicate" or "activate");
        await Eventually.IsAsync(() => collector.Logs.Any(line => line.Trace == first && line.Text.Contains("acme", StringComparison.Ordinal)), "the opening is in the log, with its trace");
        await Eventually.IsAsync(() => collector.Metrics > 0, "metrics are sent");

        Assert.Null(collector.Problem);
        // What nobody asked for is in no trace.
        Assert.DoesNotContain(collector.Spans, span => span.Name == "replicate" && span.Parent.Length == 0);
        Assert.Equal(0, await service.Silo.TerminateAsync());
    }

    [Fact]
    public async Task Requests_ThatTheCallerDoesNotTrace_LeaveNoSpans()
    {
        await using var machine = new Machine();
        await using var collector = await Collector.StartAsync();
        var service = await StartAsync(machine, collector, ("Telemetry__OtlpMetrics", "false"));

        var (untraced, traced) = (NewTrace(), NewTrace());
        (await service.Member("acme").AddContactAsync("Ada", "replicated", Parent(untraced, isSampled: false))).Is(201);
        (await service.Member("acme").AddContactAsync("Bo", "replicated", Parent(traced))).Is(201);
        await UntilAsync(collector, traced, "POST /api/contacts/", "insert", "replicate");
        Assert.Empty(Of(collector, untraced));

        // Who stops sends what it has counted, if it sends any of it.
        Assert.Equal(0, await service.Gateway.TerminateAsync());
        Assert.Equal(0, await service.Silo.TerminateAsync());
        Assert.Equal(0, collector.Metrics);
    }

    private static async Task<SplitService> StartAsync(Machine machine, Collector collector, params (string Name, string Value)[] settings)
    {
        var service = new SplitService(machine) { Environment = [.. collector.Environment, .. settings] };
        await service.StartEmulatorAsync();
        await service.StartSiloAsync();
        await service.StartGatewayAsync();
        await service.UntilReadyAsync();
        await service.Operator.CreateOrganizationAsync("acme");
        return service;
    }

    private static string NewTrace() => Guid.NewGuid().ToString("n");

    private static string Parent(string trace, bool isSampled = true) => $"00-{trace}-{ParentId}-0{(isSampled ? 1 : 0)}";

    private static List<Collector.Span> Of(Collector collector, string trace) => [.. collector.Spans.Where(span => span.Trace == trace)];

    private static Collector.Span Single(IEnumerable<Collector.Span> spans, string name) => Assert.Single(spans, span => span.Name == name);

    private static async Task UntilAsync(Collector collector, string trace, params string[] names)
    {
        try
        {
            await Eventually.IsAsync(() => names.All(name => Of(collector, trace).Any(span => span.Name == name)), "the trace is whole");
        }
        catch (TimeoutException)
        {
            Assert.Fail($"The trace should have {string.Join(", ", names)}; it has {string.Join(", ", Of(collector, trace).Select(span => span.Name))}. {collector.Problem}");
        }
    }
}
