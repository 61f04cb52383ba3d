using Silo.Contracts;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Storage.Catalog;

public sealed class OrganizationUsageTests : IDisposable
{
    private readonly CatalogFixture _fixture = new();

    private static CancellationToken Cancellation => CatalogFixture.Cancellation;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Uses_Added_AreRankedListedAndForgotten() => await UsageStory.AddsAsync(await _fixture.OpenMigratedAsync());

    [Fact]
    public async Task Uses_AddedByManyAtOnce_AddUp() => await UsageStory.ManyAtOnceAsync(await _fixture.OpenMigratedAsync());

    [Fact]
    public async Task Profile_OfAnotherVersion_IsLeftOutAndBeginsAnew()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var acme = OrganizationId.Parse("acme");
        await catalog.AddAsync(new NewOrganization(acme, "Acme", OrganizationDbType.Sqlite, null, null), Cancellation);
        await UsageStory.AddUsesAsync(catalog, acme, _fixture.Time.GetUtcNow());
        _fixture.Sql("UPDATE organization_usage SET profile = 'AAAA'");
        Assert.Empty(await catalog.ListMostUsedAsync(10, Cancellation));
        Assert.NotNull(await UsageStory.AddUsesAsync(catalog, acme, _fixture.Time.GetUtcNow()));
        Assert.Single(await catalog.ListMostUsedAsync(10, Cancellation));
    }
}
