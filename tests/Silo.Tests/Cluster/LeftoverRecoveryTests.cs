using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Cluster.Hosting;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Tests.Gateway;

namespace Silo.Tests.Cluster;

[Collection(GatewayCollection.Name)]
public sealed class LeftoverRecoveryTests(StandInCluster cluster)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("/where")]
    public async Task Recovery_OrganizationThatCannotBeOpenedOrFoundYet_IsTriedUntilItIs(string failing)
    {
        using var folder = new TestFolder();
        var ids = Enumerable.Range(0, 3).Select(i => OrganizationId.Parse($"left-{Guid.NewGuid():n}{i}")).ToArray();
        foreach (var id in ids) new OrgFiles(folder.Path, id, 1).CreateFolder();
        cluster.StandIns.Failures[ids[1].Value + failing] = new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "Not yet.");
        var time = new FakeTimeProvider();
        using var recovery = new LeftoverRecovery(
            cluster.Client, new ThisSilo(), Options.Create(new DatabaseOptions { DataDirectory = folder.Path }), cluster.Client.ServiceProvider.GetRequiredService<IMeterFactory>(), time,
            NullLogger<LeftoverRecovery>.Instance);

        await recovery.StartAsync(Token);
        foreach (var id in ids) await cluster.StandIns.Arrival(id.Value).WaitAsync(Token);
        Assert.False(recovery.ExecuteTask!.IsCompleted);
        // It waits for its clock; a step before it does would be lost, so they go on until it comes again.
        await Eventually.IsAsync(() => Again(time, ids[1]), "it is tried again");
        cluster.StandIns.Failures.Remove(ids[1].Value + failing, out _);
        await Eventually.IsAsync(() => Advance(time, recovery), "all are taken care of");

        Assert.True(recovery.ExecuteTask.IsCompletedSuccessfully);
        Assert.Equal(0, cluster.StandIns.Arrival(ids[0].Value).CurrentCount);
    }

    [Fact]
    public async Task Recovery_OrganizationThatAnotherSiloHasOpen_CountsAsLeft()
    {
        using var folder = new TestFolder();
        var (here, there) = (OrganizationId.Parse($"here-{Guid.NewGuid():n}"), OrganizationId.Parse($"there-{Guid.NewGuid():n}"));
        var silo = new ThisSilo();
        foreach (var (id, address) in (IEnumerable<(OrganizationId, string)>)[(here, silo.SiloAddress.ToString()), (there, "S127.0.0.1:2:2")])
        {
            var files = new OrgFiles(folder.Path, id, 1);
            files.CreateFolder();
            await File.WriteAllTextAsync(files.Database, "", Token);
            cluster.StandIns.Active[id.Value] = new DatabaseStatus { Organization = id, Silo = address, DbType = OrganizationDbType.Sqlite, State = DatabaseState.Active, ActivatedAt = default, ActivationMs = new Dictionary<string, double>() };
        }
        var meters = cluster.Client.ServiceProvider.GetRequiredService<IMeterFactory>();
        using var metrics = new RecordedMetrics(cluster.Client.ServiceProvider);
        using var recovery = new LeftoverRecovery(cluster.Client, silo, Options.Create(new DatabaseOptions { DataDirectory = folder.Path }), meters, TimeProvider.System, NullLogger<LeftoverRecovery>.Instance);
        await recovery.StartAsync(Token);
        await recovery.ExecuteTask!;
        Assert.Equal(1, metrics.Ask("silo.database.leftovers"));
        // It was asked for here, wherever it was.
        Assert.Equal(silo.SiloAddress, cluster.StandIns.Hints[here.Value]);
    }

    private bool Again(FakeTimeProvider time, OrganizationId id)
    {
        time.Advance(TimeSpan.FromSeconds(30));
        return cluster.StandIns.Arrival(id.Value).CurrentCount > 0;
    }

    private static bool Advance(FakeTimeProvider time, LeftoverRecovery recovery)
    {
        time.Advance(TimeSpan.FromSeconds(30));
        return recovery.ExecuteTask!.IsCompleted;
    }

    private sealed class ThisSilo : ILocalSiloDetails
    {
        public string Name => "this";

        public string ClusterId => "test";

        public string DnsHostName => "localhost";

        public SiloAddress SiloAddress { get; } = SiloAddress.New(IPAddress.Loopback, 1, 1);

        public SiloAddress GatewayAddress => SiloAddress;
    }
}
