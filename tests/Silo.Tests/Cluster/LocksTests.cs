using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.Cluster.Databases;
using Silo.Cluster.Hosting;
using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;
using Silo.Tests.Storage.Databases;

namespace Silo.Tests.Cluster;

/// <summary>Leases in a real bucket: those that are held stay, those of the dead go, by hand or by themselves.</summary>
public sealed class LocksTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Locks_ListAndRelease_TellTheLivingFromTheDead()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await PutAsync(bench, "dead", HeadState.Active, ttl: 1);
        await PutAsync(bench, "resting", HeadState.Released, ttl: 1);
        await PutAsync(bench, "taking", HeadState.Acquiring, ttl: 3_600_000);
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var locks = Grain(bench);
        await UntilExpiredAsync(locks, "dead");

        var all = await locks.List(null, 100, Token);
        Assert.Null(all.NextCursor);
        Assert.Equal(["dead", "demo", "taking"], all.Items.Select(row => row.Organization.Value));
        Assert.Equal([true, false, false], all.Items.Select(row => row.Expired));
        Assert.Equal([0, 1], [all.Items[0].ExpiresInSeconds, Math.Sign(all.Items[2].ExpiresInSeconds)]);
        Assert.Equal(("acquiring", 7, "there", "their-silo"), (all.Items[2].State, all.Items[2].Epoch, all.Items[2].Cluster, all.Items[2].Silo));

        foreach (var held in (string[])["demo", "taking"])
        {
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => locks.Release(OrganizationId.Parse(held), Token));
            Assert.Equal(OrganizationErrorCode.LockHeld, refusal.Code);
            Assert.Contains("expires in", refusal.Message, StringComparison.Ordinal);
        }
        await locks.Release(OrganizationId.Parse("dead"), Token);
        foreach (var none in (string[])["dead", "resting", "unknown"])
        {
            var refusal = await Assert.ThrowsAsync<OrganizationException>(() => locks.Release(OrganizationId.Parse(none), Token));
            Assert.Equal(OrganizationErrorCode.LockNotFound, refusal.Code);
        }
        Assert.Equal(["demo", "taking"], (await locks.List(null, 100, Token)).Items.Select(row => row.Organization.Value));
    }

    [Fact]
    public async Task List_PageByPage_GivesEachLockOnce()
    {
        await using var bench = await DatabaseBench.StartAsync();
        for (var i = 0; i < 30; i++) await PutAsync(bench, string.Create(CultureInfo.InvariantCulture, $"org-{i:d2}"), i % 3 == 0 ? HeadState.Active : HeadState.Released, ttl: 3_600_000);
        var locks = Grain(bench);
        var found = new List<string>();
        var cursor = (string?)null;
        do
        {
            var page = await locks.List(cursor, 4, Token);
            Assert.InRange(page.Items.Count, 0, 4);
            found.AddRange(page.Items.Select(row => row.Organization.Value));
            cursor = page.NextCursor;
        }
        while (cursor is not null);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => string.Create(CultureInfo.InvariantCulture, $"org-{i * 3:d2}")), found);
    }

    [Fact]
    public async Task List_BucketRefuses_SaysSo()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await bench.SetFaultsAsync("""[{"method":"GET","action":"status","status":403}]""");
        var refusal = await Assert.ThrowsAsync<OrganizationException>(() => Grain(bench).List(null, 10, Token));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
    }

    [Fact]
    public async Task Sweep_LeasesThatRanOutLongAgo_AreGivenBackAndNoOthers()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await PutAsync(bench, "dead", HeadState.Active, ttl: 1);
        await PutAsync(bench, "alive", HeadState.Active, ttl: 3_600_000);
        var patient = Sweep(bench, TimeSpan.FromHours(1));
        var eager = Sweep(bench, TimeSpan.Zero);

        await UntilExpiredAsync(Grain(bench), "dead");
        Assert.Equal(0, await patient.SweepAsync(Token));
        await Eventually.GetAsync(async () => await eager.SweepAsync(Token) == 1 ? "one" : null, "the dead owner's lease is given back");

        Assert.Equal(0, await eager.SweepAsync(Token));
        var heads = new HeadStore(bench.Bucket, TimeProvider.System);
        var released = (await heads.ReadAsync(OrganizationId.Parse("dead"), Token))!.Head;
        Assert.Equal((HeadState.Released, 7, new ReplicaReference(7, "0123456789abcdef", 3)), (released.State, released.Epoch, released.Current));
        Assert.Equal(HeadState.Active, (await heads.ReadAsync(OrganizationId.Parse("alive"), Token))!.Head.State);
    }

    private static LocksGrain Grain(DatabaseBench bench) =>
        new(new HeadStore(bench.Bucket, TimeProvider.System), Options.Create(new LeaseOptions()), NullLogger<LocksGrain>.Instance);

    private static LeaseSweep Sweep(DatabaseBench bench, TimeSpan after) =>
        new(new HeadStore(bench.Bucket, TimeProvider.System), Options.Create(new LeaseOptions { SweepAfter = after }), TimeProvider.System, NullLogger<LeaseSweep>.Instance);

    /// <summary>The bucket tells its clock to the second, so an age is known with that delay.</summary>
    private static Task<string> UntilExpiredAsync(LocksGrain locks, string id) => Eventually.GetAsync(
        async () => (await locks.List(null, 100, Token)).Items.Single(row => row.Organization.Value == id).Expired ? "expired" : null, $"the lease of {id} has run out");

    private static Task PutAsync(DatabaseBench bench, string id, HeadState state, long ttl) => bench.WriteHeadAsync(
        DatabaseBench.Org(id), new StoredHead(null!, 0), new OrganizationHead
        {
            Epoch = 7,
            State = state,
            Owner = new HeadOwner("there", "their-silo", "activation"),
            OperationId = "test",
            TtlMs = ttl,
            Current = new ReplicaReference(7, "0123456789abcdef", 3),
        });
}
