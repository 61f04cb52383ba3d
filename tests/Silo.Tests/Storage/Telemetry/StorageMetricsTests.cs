using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Litestream;
using Silo.Storage.Telemetry;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Storage.Telemetry;

/// <summary>What databases measure of themselves, with the real Litestream.</summary>
public sealed class StorageMetricsTests
{
    private static readonly string[] Phases = ["queue", "lease", "restore", "open"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Metrics_OfADatabaseThatServesAndSleepsAndWakes_TellEachStep()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        using var metrics = new RecordedMetrics(silo);

        var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Assert.Equal(1, metrics.Count("silo.activation.duration", "outcome=new"));
        Assert.Equal(1, metrics.Ask("silo.lease.acquisitions", "outcome=new"));
        foreach (var phase in Phases) Assert.Equal(1, metrics.Count("silo.activation.phase.duration", $"phase={phase}"));

        var done = await database.CreateAsync(new ContactFields("Ada"), Token);
        await database.WaitReplicatedAsync(done.Commit, Token);
        await database.ListAsync(new ContactListQuery(50, null, null), Token);
        await database.ListAsync(new ContactListQuery(50, null, "ada"), Token);
        await database.GetAsync(done.Id, Token);
        await database.DeleteAsync(done.Id, false, Token);
        foreach (var operation in (string[])["insert", "list", "search", "get", "delete"])
            Assert.Equal(1, metrics.Count("db.client.operation.duration", $"db.operation.name={operation}", "db.system.name=sqlite"));
        Assert.Equal(2, metrics.Count("silo.write.wait.duration"));
        Assert.Equal(1, metrics.Count("silo.durability.wait.duration", "outcome=confirmed"));
        Assert.True(metrics.Count("silo.replication.delay") >= 1);
        Assert.True(metrics.Ask("silo.replication.uploads", "kind=snapshot") >= 1);
        Assert.True(metrics.Ask("silo.replication.upload.size", "kind=segment") > 0);

        await database.CloseAsync(Token);
        Assert.Equal(1, metrics.Count("silo.flush.duration", "outcome=confirmed"));
        await using var again = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        Assert.Equal(1, metrics.Count("silo.activation.duration", "outcome=restored"));
        Assert.Equal(1, metrics.Ask("silo.lease.acquisitions", "outcome=given_back"));
        Assert.Equal(0, metrics.Ask("silo.litestream.restarts"));
    }

    [Fact]
    public async Task Metrics_OfReads_TellOfThoseThatHadToWait()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Database:MaxReaders"] = "1", ["Database:MaxCachedBytes"] = "0" });
        var silo = bench.Silo("a");
        using var metrics = new RecordedMetrics(silo);
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await database.CountAsync(Token);
        Assert.Equal(0, metrics.Count("db.client.connection.wait_time"));

        // Until one of them has come while another one was there.
        await Eventually.GetAsync(
            async () =>
            {
                await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => database.CountAsync(Token).AsTask()));
                return metrics.Count("db.client.connection.wait_time", "db.client.connection.pool.name=contact-readers") > 0 ? "yes" : null;
            },
            "a read had to wait");
    }

    [Fact]
    public async Task Metrics_OfWhatGoesWrong_SayWhat()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Lease:RenewInterval"] = "00:00:00.500", ["Litestream:RestartBackoff"] = "00:00:00.100", ["Litestream:ReplicatedWait"] = "00:00:01" });
        var (silo, other) = (bench.Silo("a"), bench.Silo("b"));
        using var metrics = new RecordedMetrics(silo);
        using var refused = new RecordedMetrics(other);
        var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);

        await Assert.ThrowsAsync<OrganizationException>(() => DatabaseBench.OpenAsync(other, DatabaseBench.Demo));
        Assert.Equal(1, refused.Count("silo.activation.duration", "outcome=held"));
        Assert.Equal(1, refused.Ask("silo.lease.acquisitions", "outcome=held"));

        await Eventually.IsAsync(() => metrics.Ask("silo.lease.renewals", "outcome=renewed") > 0, "the lease is renewed");
        await Eventually.IsAsync(() => database.LitestreamPid is not null, "Litestream runs");
        ChildProcess.Find(database.LitestreamPid!.Value)!.Value.Kill();
        await Eventually.IsAsync(() => metrics.Ask("silo.litestream.restarts", "reason=died") == 1, "it is started again");

        await bench.SetFaultsAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":403},{"namePrefix":"heads/","action":"status","status":503}]""");
        var done = await database.CreateAsync(new ContactFields("Ada"), Token);
        await Assert.ThrowsAsync<OrganizationException>(() => database.WaitReplicatedAsync(done.Commit, Token));
        Assert.Equal(1, metrics.Count("silo.durability.wait.duration", "outcome=unavailable"));
        await Eventually.IsAsync(() => metrics.Ask("silo.lease.renewals", "outcome=failed") > 0, "a renewal fails");
        await Eventually.IsAsync(() => metrics.Ask("silo.replication.failures") > 0, "an upload fails");
        await bench.ClearFaultsAsync();

        await bench.TakeAwayAsync(DatabaseBench.Demo);
        await Eventually.IsAsync(() => metrics.Ask("silo.lease.losses", "reason=moved") == 1, "the loss is noticed");
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Metrics_OfSeveralOrganizations_NameNone()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        using var metrics = new RecordedMetrics(silo);
        string[] names = ["secret-acme", "secret-globex"];
        foreach (var name in names)
        {
            await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Org(name));
            await database.CreateAsync(new ContactFields("Ada"), Token);
            await database.CloseAsync(Token);
        }
        Assert.NotEmpty(metrics.All);
        Assert.DoesNotContain(metrics.All, record => record.Labels.Any(label => label.Contains("secret", StringComparison.Ordinal)));
    }

    [Fact]
    public void Clock_WhenNobodyListens_IsNotAsked()
    {
        using var meters = new UnwatchedMeters();
        var metrics = new DatabaseMetrics(meters, TimeProvider.System);

        Assert.Equal(0, metrics.Begin());
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, all) =>
        {
            if (instrument.Meter == meters.Meter) all.EnableMeasurementEvents(instrument);
        };
        listener.Start();
        Assert.NotEqual(0, metrics.Begin());
    }

    [Fact]
    public void Meter_OfOneHost_IsTheSameForAll()
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var meters = services.GetRequiredService<IMeterFactory>();
        Assert.Same(meters.CreateSilo(), meters.CreateSilo());
    }

    /// <summary>One meter of another name: telemetry goes by names, so a host of another test that has it on would listen to this one too.</summary>
    private sealed class UnwatchedMeters : IMeterFactory
    {
        public Meter Meter { get; } = new("Silo.Tests.Unwatched");

        public Meter Create(MeterOptions options) => Meter;

        public void Dispose() => Meter.Dispose();
    }
}
