using Silo.Contracts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;

namespace Silo.Tests.Storage.Catalog;

/// <summary>What the catalog promises of migrations, on whichever database it is: the same tests run on SQLite and on PostgreSQL.</summary>
internal static class MigrationStory
{
    public static readonly TimeSpan Stale = TimeSpan.FromMinutes(1);

    private static readonly OrganizationId Acme = OrganizationId.Parse("acme");

    private static readonly MigrationReport Report = new() { Bytes = 7 };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>There and back again, with each step refused to everybody but the operation that has it.</summary>
    public static async Task ThereAndBackAsync(OrganizationCatalog catalog)
    {
        await AddAsync(catalog);
        Assert.Null(await catalog.FindMigrationAsync(Acme, Token));
        Assert.True(await catalog.BeginMigrationAsync(Acme, "one", MigrationKind.Migrate, Stale, Token));
        Assert.False(await catalog.BeginMigrationAsync(Acme, "two", MigrationKind.Migrate, Stale, Token));
        Assert.False(await catalog.RenewMigrationAsync(Acme, "two", MigrationStep.Copying, Token));
        Assert.False(await catalog.FreezeAsync(Acme, "two", OrganizationDbType.Turso, Token));
        Assert.False(await catalog.FreezeAsync(Acme, "one", OrganizationDbType.Sqlite, Token));
        Assert.False(await catalog.FlipToSqliteAsync(Acme, "one", "bucket", "path", Report, Token)); // not frozen
        await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: false);

        Assert.True(await catalog.FreezeAsync(Acme, "one", OrganizationDbType.Turso, Token));
        await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: true);
        // A renewal that was asked for before the freeze and comes after it: whoever ends this must still see that writes are refused.
        Assert.True(await catalog.RenewMigrationAsync(Acme, "one", null, Token));
        Assert.Equal(MigrationStep.Freezing, (await catalog.FindMigrationAsync(Acme, Token))!.Step);
        Assert.True(await catalog.RenewMigrationAsync(Acme, "one", MigrationStep.Verifying, Token));
        Assert.False(await catalog.FlipToSqliteAsync(Acme, "two", "bucket", "path", Report, Token));
        Assert.True(await catalog.FlipToSqliteAsync(Acme, "one", "bucket", "path", Report, Token));
        await AssertServedAsync(catalog, OrganizationDbType.Sqlite, isFrozen: false);
        Assert.Equal(("bucket", "path"), ((await catalog.FindAsync(Acme, Token))!.GcsBucketName, (await catalog.FindAsync(Acme, Token))!.GcsReplicaPath));
        var done = await catalog.FindMigrationAsync(Acme, Token);
        Assert.Equal((MigrationStep.Completed, false, 7L, null), (done!.Step, done.IsRunning, done.Report!.Bytes, done.Problem));
        Assert.NotNull(done.FlippedAt);
        Assert.False(await catalog.FlipToSqliteAsync(Acme, "one", "bucket", "path", Report, Token)); // once

        Assert.True(await catalog.BeginMigrationAsync(Acme, "back", MigrationKind.RollBack, Stale, Token));
        Assert.True(await catalog.FreezeAsync(Acme, "back", OrganizationDbType.Sqlite, Token));
        Assert.True(await catalog.FlipToTursoAsync(Acme, "back", Report, Token));
        await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: false);
        Assert.Null((await catalog.FindMigrationAsync(Acme, Token))!.FlippedAt);
        Assert.Single(await catalog.ListMigrationsAsync("", 10, Token));
    }

    /// <summary>A dry run and a failure let writes in again; neither moves anything.</summary>
    public static async Task EndsAsync(OrganizationCatalog catalog)
    {
        await AddAsync(catalog);
        Assert.True(await catalog.BeginMigrationAsync(Acme, "dry", MigrationKind.Rehearse, Stale, Token));
        Assert.True(await catalog.FreezeAsync(Acme, "dry", OrganizationDbType.Turso, Token));
        Assert.False(await catalog.FlipToSqliteAsync(Acme, "dry", "bucket", "path", Report, Token));
        Assert.True(await catalog.EndMigrationAsync(Acme, "dry", isVerified: true, problem: null, Report, Token));
        await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: false);
        var verified = (await catalog.FindMigrationAsync(Acme, Token))!.VerifiedAt;
        Assert.NotNull(verified);

        Assert.True(await catalog.BeginMigrationAsync(Acme, "bad", MigrationKind.Migrate, Stale, Token));
        Assert.True(await catalog.FreezeAsync(Acme, "bad", OrganizationDbType.Turso, Token));
        Assert.True(await catalog.EndMigrationAsync(Acme, "bad", isVerified: false, "The bucket is down.", null, Token));
        Assert.False(await catalog.EndMigrationAsync(Acme, "bad", isVerified: false, "again", null, Token));
        await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: false);
        var failed = await catalog.FindMigrationAsync(Acme, Token);
        Assert.Equal((MigrationStep.Failed, "The bucket is down.", verified, 7L), (failed!.Step, failed.Problem, failed.VerifiedAt, failed.Report!.Bytes));
    }

    /// <summary>At each step a silo dies. Whoever comes first, the sweep or another operator: writes go on where they went, and the dead one can do nothing more.</summary>
    public static async Task DiesAtEachStepAsync(OrganizationCatalog catalog, Action<TimeSpan> passes)
    {
        await AddAsync(catalog);
        foreach (var step in (MigrationStep[])[MigrationStep.Preflight, MigrationStep.Copying, MigrationStep.Freezing, MigrationStep.CatchingUp, MigrationStep.Verifying, MigrationStep.Uploading])
        {
            foreach (var isSwept in (bool[])[true, false])
            {
                var dead = $"dead-{step}-{isSwept}";
                Assert.True(await catalog.BeginMigrationAsync(Acme, dead, MigrationKind.Migrate, Stale, Token));
                if (step >= MigrationStep.Freezing) Assert.True(await catalog.FreezeAsync(Acme, dead, OrganizationDbType.Turso, Token));
                Assert.True(await catalog.RenewMigrationAsync(Acme, dead, step, Token));
                Assert.Equal(0, await catalog.EndStaleMigrationsAsync(Stale, Token));
                await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: step >= MigrationStep.Freezing);

                passes(2 * Stale);
                if (isSwept)
                {
                    Assert.Equal(1, await catalog.EndStaleMigrationsAsync(Stale, Token));
                    Assert.Contains("interrupted", (await catalog.FindMigrationAsync(Acme, Token))!.Problem, StringComparison.Ordinal);
                }
                else
                {
                    Assert.True(await catalog.BeginMigrationAsync(Acme, "next", MigrationKind.Rehearse, Stale, Token));
                }
                await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: false);
                // It was only slow, and goes on.
                Assert.False(await catalog.RenewMigrationAsync(Acme, dead, step, Token));
                Assert.False(await catalog.FreezeAsync(Acme, dead, OrganizationDbType.Turso, Token));
                Assert.False(await catalog.FlipToSqliteAsync(Acme, dead, "bucket", "path", Report, Token));
                Assert.False(await catalog.EndMigrationAsync(Acme, dead, isVerified: true, null, null, Token));
                await AssertServedAsync(catalog, OrganizationDbType.Turso, isFrozen: false);
                if (!isSwept) Assert.True(await catalog.EndMigrationAsync(Acme, "next", isVerified: false, null, null, Token));
            }
        }
    }

    /// <summary>Of many who begin at once, or move at once, one does.</summary>
    public static async Task ManyAtOnceAsync(OrganizationCatalog catalog)
    {
        await AddAsync(catalog);
        var begun = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => catalog.BeginMigrationAsync(Acme, $"op-{i}", MigrationKind.Migrate, Stale, Token)));
        Assert.Single(begun, isBegun => isBegun);
        var winner = $"op-{Array.IndexOf(begun, true)}";
        Assert.True(await catalog.FreezeAsync(Acme, winner, OrganizationDbType.Turso, Token));
        var moved = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => catalog.FlipToSqliteAsync(Acme, winner, "bucket", "path", Report, Token)));
        Assert.Single(moved, isMoved => isMoved);
        await AssertServedAsync(catalog, OrganizationDbType.Sqlite, isFrozen: false);
    }

    private static Task<Organization> AddAsync(OrganizationCatalog catalog) =>
        catalog.AddAsync(new NewOrganization(Acme, "Acme", OrganizationDbType.Turso, "libsql://acme.example", Durability.Local), Token);

    private static async Task AssertServedAsync(OrganizationCatalog catalog, OrganizationDbType from, bool isFrozen)
    {
        var row = await catalog.FindAsync(Acme, Token);
        Assert.Equal((from, isFrozen), (row!.DbType, row.IsDbProvisioning));
    }
}
