using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Storage.Catalog;

public sealed class OrganizationMigrationTests : IDisposable
{
    private readonly CatalogFixture _fixture = new();

    private static CancellationToken Cancellation => CatalogFixture.Cancellation;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Migration_ThereAndBack_MovesOnlyForTheOperationThatHasIt() => await MigrationStory.ThereAndBackAsync(await _fixture.OpenMigratedAsync());

    [Fact]
    public async Task Migration_ThatMovesNothing_LetsWritesInAgain() => await MigrationStory.EndsAsync(await _fixture.OpenMigratedAsync());

    [Fact]
    public async Task Migration_WhoseSiloDiesAtAnyStep_LeavesTheOrganizationWhereItWas() => await MigrationStory.DiesAtEachStepAsync(await _fixture.OpenMigratedAsync(), _fixture.Time.Advance);

    [Fact]
    public async Task Migration_BegunAndMovedByManyAtOnce_HappensOnce() => await MigrationStory.ManyAtOnceAsync(await _fixture.OpenMigratedAsync());

    [Fact]
    public async Task Freeze_OfAnOrganizationThatTheOlderSystemHasFrozen_IsRefusedAndLeavesItFrozen()
    {
        var catalog = await _fixture.OpenMigratedAsync();
        await catalog.AddAsync(new NewOrganization(OrganizationId.Parse("acme"), "Acme", OrganizationDbType.Turso, "libsql://acme.example", null), Cancellation);
        _fixture.Sql("UPDATE organizations SET is_db_provisioning = 1");
        var acme = OrganizationId.Parse("acme");
        Assert.True(await catalog.BeginMigrationAsync(acme, "one", MigrationKind.Migrate, MigrationStory.Stale, Cancellation));
        Assert.False(await catalog.FreezeAsync(acme, "one", OrganizationDbType.Turso, Cancellation));
        Assert.True(await catalog.EndMigrationAsync(acme, "one", isVerified: false, "frozen by another", null, Cancellation));
        Assert.Equal(["1"], _fixture.Sql("SELECT is_db_provisioning FROM organizations"));
    }

    [Theory]
    [InlineData("ended")]
    [InlineData("swept")]
    [InlineData("taken over")]
    public async Task Verification_OfAnOrganizationThatIsFrozenByAnother_LeavesItFrozen(string end)
    {
        var catalog = await _fixture.OpenMigratedAsync();
        var acme = OrganizationId.Parse("acme");
        await catalog.AddAsync(new NewOrganization(acme, "Acme", OrganizationDbType.Sqlite, null, null), Cancellation);
        _fixture.Sql("UPDATE organizations SET is_db_provisioning = 1");
        Assert.True(await catalog.BeginMigrationAsync(acme, "one", MigrationKind.Verify, MigrationStory.Stale, Cancellation));
        Assert.True(await catalog.RenewMigrationAsync(acme, "one", MigrationStep.Verifying, Cancellation));
        if (end != "ended") _fixture.Time.Advance(2 * MigrationStory.Stale);
        Assert.True(end switch
        {
            "ended" => await catalog.EndMigrationAsync(acme, "one", isVerified: true, null, null, Cancellation),
            "swept" => await catalog.EndStaleMigrationsAsync(MigrationStory.Stale, Cancellation) == 1,
            _ => await catalog.BeginMigrationAsync(acme, "two", MigrationKind.Verify, MigrationStory.Stale, Cancellation),
        });
        Assert.Equal(["1"], _fixture.Sql("SELECT is_db_provisioning FROM organizations"));
    }
}
