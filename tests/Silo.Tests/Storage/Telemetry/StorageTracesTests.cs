using System.Collections.Concurrent;
using System.Diagnostics;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Telemetry;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Telemetry;

/// <summary>The spans below the grain. Each test has traces of its own, since whoever listens hears all of the process.</summary>
public sealed class StorageTracesTests : IDisposable
{
    private static readonly ActivitySource Callers = new("Silo.Tests.Callers");

    private readonly ConcurrentQueue<Activity> _spans = new();
    private readonly ActivityListener _listener;

    public StorageTracesTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is SiloActivities.Name or "Silo.Tests.Callers",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Write_ThatIsTraced_IsFollowedToItsUpload()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        using var caller = Callers.StartActivity("caller")!;
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        var done = await database.CreateAsync(new ContactFields("Ada"), Token);
        await database.WaitReplicatedAsync(done.Commit, Token);
        await database.CountAsync(Token);
        await Eventually.IsAsync(() => Of(caller).Any(span => span.OperationName == "replicate"), "the upload is told of");

        var spans = Of(caller);
        var activation = Single(spans, "activate");
        foreach (var phase in (string[])["queue", "lease", "restore", "open"]) Assert.Equal(activation.SpanId, Single(spans, phase).ParentSpanId);
        Assert.Equal("demo", activation.GetTagItem("silo.organization"));
        Assert.Equal(("sqlite", "insert"), (Single(spans, "insert").GetTagItem("db.system.name"), Single(spans, "insert").GetTagItem("db.operation.name")));
        Assert.Equal("turn", Assert.Single(Single(spans, "insert").Events).Name);
        Assert.Equal(Single(spans, "insert").SpanId, Single(spans, "replicate").ParentSpanId);
        Assert.Equal("confirmed", Single(spans, "wait replicated").GetTagItem("outcome"));
        Single(spans, "count");
    }

    [Fact]
    public async Task Anything_OutsideATracedRequest_MakesNoSpan()
    {
        Assert.Null(Activity.Current);
        await using var bench = await DatabaseBench.StartAsync();
        var organization = DatabaseBench.Org("untraced");
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), organization);
        var done = await database.CreateAsync(new ContactFields("Ada"), Token);
        await database.WaitReplicatedAsync(done.Commit, Token);
        Assert.DoesNotContain(_spans, span => span.Parent is null && span.Source.Name == SiloActivities.Name && span.ParentSpanId == default);
        Assert.DoesNotContain(_spans, span => (string?)span.GetTagItem("silo.organization") == organization.Id.Value);
    }

    [Fact]
    public async Task BackgroundWork_BegunByATracedRequest_IsNotInItsTrace()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Lease:RenewInterval"] = "00:00:00.500" });
        var silo = bench.Silo("a");
        using var metrics = new RecordedMetrics(silo);
        OrgDatabase database;
        using var caller = Callers.StartActivity("caller")!;
        database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        caller.Stop();
        await using (database)
        {
            await database.CreateAsync(new ContactFields("Ada"), Token);
            // A renewal marks the file, which is a commit of nobody's.
            await Eventually.IsAsync(() => metrics.Ask("silo.lease.renewals", "outcome=renewed") > 2, "the lease is renewed");
            await Eventually.IsAsync(() => database.IsFlushed, "all is uploaded");
        }
        Assert.DoesNotContain(Of(caller), span => span.OperationName == "replicate");
    }

    [Fact]
    public void Upload_ThatSeveralTracesShare_IsInEachAndLinked()
    {
        using var one = Callers.StartActivity("one")!;
        one.Stop();
        using var other = Callers.StartActivity("other")!;
        other.Stop();
        var now = TimeProvider.System.GetUtcNow();

        SiloActivities.AddUpload([new(1, one.Context, now - TimeSpan.FromSeconds(2)), new(2, other.Context, now - TimeSpan.FromSeconds(1))], now, "0000/1", 4_096);

        var (first, second) = (Single(Of(one), "replicate"), Single(Of(other), "replicate"));
        Assert.Equal((one.SpanId, other.SpanId), (first.ParentSpanId, second.ParentSpanId));
        Assert.Empty(first.Links);
        Assert.Equal(first.Context, Assert.Single(second.Links).Context);
        Assert.Equal((2, 1), (Math.Round(first.Duration.TotalSeconds), Math.Round(second.Duration.TotalSeconds)));
    }

    public void Dispose() => _listener.Dispose();

    private List<Activity> Of(Activity caller) => [.. _spans.Where(span => span.TraceId == caller.TraceId)];

    private static Activity Single(IEnumerable<Activity> spans, string name) => Assert.Single(spans, span => span.OperationName == name);
}
