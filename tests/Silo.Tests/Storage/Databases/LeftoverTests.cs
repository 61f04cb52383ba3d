using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Databases;

/// <summary>What a crash left on this machine is the only place of some promised rows, until it has been put into the bucket.</summary>
public sealed class LeftoverTests
{
    private const string RefuseUploads = """[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task<string> NamesAsync(OrgDatabase database) =>
        System.Text.Encoding.UTF8.GetString((await database.ListAsync(new ContactListQuery(100, null, null), Token)).Utf8!);

    private static async Task LeaveAsync(DatabaseBench bench, ServiceProvider silo)
    {
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        await database.CreateAsync(new ContactFields("one"), Token);
        await database.FlushAsync(Token);
        await bench.SetFaultsAsync(RefuseUploads);
        await database.CreateAsync(new ContactFields("only here"), Token);
        await database.AbandonAsync();
    }

    [Fact]
    public async Task Close_LeftoverThatWasNotWrittenTo_IsPutIntoTheBucketFirst()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Database:FlushTimeout"] = "00:00:02" });
        var silo = bench.Silo("a");
        await LeaveAsync(bench, silo);

        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo))
        {
            await Assert.ThrowsAsync<FlushException>(() => database.CloseAsync(Token));
            Assert.Contains("only here", await NamesAsync(database), StringComparison.Ordinal);
            await bench.ClearFaultsAsync();
            // Nothing but a further change makes Litestream look again at once.
            await database.CreateAsync(new ContactFields("poke"), Token);
            await Eventually.GetAsync(async () =>
            {
                try
                {
                    await database.CloseAsync(Token);
                    return "closed";
                }
                catch (FlushException)
                {
                    return null;
                }
            }, "the bucket takes everything");
        }

        await using var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Contains("only here", await NamesAsync(elsewhere), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Close_LeftoverAtOnce_IsPutIntoTheBucketFirst()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await LeaveAsync(bench, silo);
        await bench.ClearFaultsAsync();

        await using (var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo)) await database.CloseAsync(Token);

        await using var elsewhere = await DatabaseBench.OpenAsync(bench.Silo("b"), DatabaseBench.Demo);
        Assert.Contains("only here", await NamesAsync(elsewhere), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_KilledAgainBeforeItPublished_StillGoesOnFromTheFile()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        await LeaveAsync(bench, silo);
        // The second life takes the file over and publishes nothing; the third only takes the lease.
        await using (var second = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo)) await second.AbandonAsync();
        var third = new HeadOwner("test", "silo", "third", silo.GetRequiredService<DataDirectoryLock>().Identity);
        await (await OwnershipLease.AcquireAsync(
            DatabaseBench.Demo.Id, third, silo.GetRequiredService<HeadStore>(), (head, _) => Task.FromResult(head!.Truth), _ => TimeSpan.Zero,
            NullLogger.Instance, Token)).DisposeAsync();
        await bench.ClearFaultsAsync();

        await using var fourth = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);

        Assert.Contains("only here", await NamesAsync(fourth), StringComparison.Ordinal);
    }
}
