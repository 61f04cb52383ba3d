using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Usage;
using Silo.Tests.Storage.Catalog;

namespace Silo.Tests.Storage.Usage;

public sealed class UsageJournalTests : IDisposable
{
    private readonly CatalogFixture _fixture = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Write_OfMoreThanOneBatch_WritesAllAndForgetsThoseThatAreNone()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var usage = new UsageJournal(catalog, Options.Create(new WarmUpOptions()), _fixture.Time);
        OrganizationId[] ids = [.. Enumerable.Range(0, OrganizationCatalog.MaxUsageBatch + 1).Select(i => OrganizationId.Parse($"used-{i}"))];
        foreach (var id in ids)
        {
            await catalog.AddAsync(new NewOrganization(id, id.Value, OrganizationDbType.Sqlite, null, null), Token);
            usage.Used(id);
        }
        var none = OrganizationId.Parse("none");
        usage.Used(none);
        await usage.WriteAsync(Token);
        Assert.Equal(0, usage.Waiting);
        Assert.All(ids, id => Assert.Equal(_fixture.Time.GetUtcNow(), usage.Find(id)!.LastUse));
        Assert.Null(usage.Find(none));
        Assert.Equal(ids.Length, (await catalog.ListMostUsedAsync(OrganizationCatalog.MaxUsages, Token)).Count);
    }
}
