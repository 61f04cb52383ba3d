using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Migration;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Databases;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Migration;

/// <summary>An organization is moved from a real libSQL server into the bucket and back, and whatever goes wrong leaves it where it was, or whole where it went.</summary>
public sealed class MigrationRunTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncLifetime
{
    private const string Legacy = """
        CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, tags TEXT DEFAULT 'new', createdAt TEXT);
        CREATE TABLE deals (id INTEGER PRIMARY KEY AUTOINCREMENT, contact TEXT REFERENCES contacts (id), amount REAL);
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
          INSERT INTO contacts SELECT 'c' || n, 'Name ' || n, n || '@x.test', NULL, 't', '2024-01-01T00:00:00Z' FROM n;
        INSERT INTO deals (contact, amount) SELECT id, rowid * 1.5 FROM contacts;
        """;

    private static int _organizations;

    private readonly TursoBench _turso = new();
    private DatabaseBench _bench = null!;

    /// <summary>The steps at which anything can happen, in their order.</summary>
    public static TheoryData<MigrationStep> Steps { get; } =
        [MigrationStep.Preflight, MigrationStep.Copying, MigrationStep.Freezing, MigrationStep.CatchingUp, MigrationStep.Verifying, MigrationStep.Uploading];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _bench = await DatabaseBench.StartAsync(new() { ["Migration:RenewInterval"] = "00:00:00.200", ["Migration:DeadAfter"] = "00:00:03" });

    public async ValueTask DisposeAsync()
    {
        await _turso.DisposeAsync();
        await _bench.DisposeAsync();
    }

    [Fact]
    public async Task Organization_MovedThereAndBack_IsServedCompleteOnEitherSide()
    {
        var world = await WorldAsync();
        await using (var turso = await world.OpenTursoAsync())
        {
            var (dry, none) = await world.MigrateAsync(turso, MigrationKind.Rehearse);
            Assert.Null(none);
            Assert.Equal((MigrationStep.Completed, null), (dry.Step, dry.Problem));
            Assert.NotNull(dry.VerifiedAt);
            await world.AssertOnTursoAsync(turso, 300);

            var (done, moved) = await world.MigrateAsync(turso, MigrationKind.Migrate);
            Assert.Equal((MigrationStep.Completed, null), (done.Step, done.Problem));
            Assert.Equal([("contacts", 301L), ("deals", 300L), ("sqlite_sequence", 1L)], done.Report!.Tables.Select(table => (table.Name, table.Rows)));
            Assert.All(done.Report.Tables, table => Assert.True(table.IsSame));
            var known = await world.StatusAsync();
            Assert.Equal((done.OperationId, done.Step, done.Report.Rows), (known.OperationId, known.Step, known.Report!.Rows));
            Assert.NotNull(known.FlippedAt);
            // The stale one serves nothing any more.
            Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, (await Assert.ThrowsAsync<OrganizationException>(() => turso.CreateAsync(NewId(), new ContactFields("late"), Token))).Code);
            await moved!.CloseAsync(Token);
        }

        // Any silo opens it from the bucket; the older tables are there, and nothing of the source was touched.
        var other = world.On(_bench.Silo("two"));
        var file = await other.OpenSqliteAsync();
        Assert.Equal(301, await CountAsync(file));
        await other.RunAsync(MigrationKind.Verify, run => run.VerifyAsync(file, Token));
        Assert.Equal((MigrationStep.Completed, null), ((await world.StatusAsync()).Step, (await world.StatusAsync()).Problem));
        Assert.Equal(301, await world.OnServerAsync("SELECT count(*) FROM contacts"));

        // What was written since keeps it here, unless that is said to be of no account; and it is in the bucket in any case.
        await file.CreateAsync(NewId(), new ContactFields("new one"), Token);
        await file.ReplaceAsync("c7", new ContactFields("renamed", "7@x.test"), Token);
        await file.DeleteAsync("c8", false, Token);
        await other.RunAsync(MigrationKind.RollBack, async run => Assert.False(await run.RollBackAsync(file, false, Token)));
        var refused = await world.StatusAsync();
        var since = refused.Report!.WritesSinceMove!;
        Assert.Equal((MigrationStep.Failed, 1, 1, 1, 0), (refused.Step, since.Added, since.Changed, since.Removed, since.AuditEntries));
        Assert.Contains("1 contacts were added, 1 changed and 1 removed", refused.Problem, StringComparison.Ordinal);
        Assert.NotNull(await _bench.Bucket.GetAsync(since.Object!, Token));
        Assert.True(file.FollowsCatalog);
        await file.CreateAsync(NewId(), new ContactFields("goes on"), Token);
        Assert.False(file.FollowsCatalog); // or an outage of the catalog would stop its writes

        await other.RunAsync(MigrationKind.RollBack, async run => Assert.True(await run.RollBackAsync(file, true, Token)));
        Assert.Equal((MigrationStep.RolledBack, 2), ((await world.StatusAsync()).Step, (await world.StatusAsync()).Report!.WritesSinceMove!.Added));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, (await Assert.ThrowsAsync<OrganizationException>(() => file.CreateAsync(NewId(), new ContactFields("late"), Token))).Code);
        await file.CloseAsync(Token);
        await using var back = await world.OpenTursoAsync();
        await world.AssertOnTursoAsync(back, 301);

        // And there again: the rows of the first time do not come back.
        var (again, second) = await world.MigrateAsync(back, MigrationKind.Migrate);
        Assert.Null(again.Problem);
        Assert.Equal(302, await CountAsync(second!));
        await second!.DisposeAsync();
    }

    /// <summary>As when the silo is killed: whatever it was about to do, it does not do, and it tells nobody.</summary>
    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Silo_ThatDiesAtAStep_LeavesTheOrganizationOnTursoAndTheNextOneMovesIt(MigrationStep step)
    {
        var world = await WorldAsync();
        await using var turso = await world.OpenTursoAsync();
        var reached = new TaskCompletionSource();
        world.Migrations.Tools.AtStep = at =>
        {
            if (at != step) return Task.CompletedTask;
            reached.TrySetResult();
            return new TaskCompletionSource().Task.WaitAsync(Token);
        };
        var dead = await world.BeginAsync(MigrationKind.Migrate);
        var dying = dead.MigrateAsync(turso, world.Owner, new ActivationPhases(TimeProvider.System), Token);
        await reached.Task;
        await dead.DisposeAsync(); // it renews no more

        var next = world.On(_bench.Silo("two"));
        await using var served = await next.OpenTursoAsync();
        if (step > MigrationStep.Freezing)
        {
            Assert.Equal(OrganizationErrorCode.DatabaseProvisioning, (await Assert.ThrowsAsync<OrganizationException>(() => served.CreateAsync(NewId(), new ContactFields("x"), Token))).Code);
            Assert.Equal(300, await CountAsync(served));
        }
        await Eventually.GetAsync(async () => await next.Catalog.EndStaleMigrationsAsync(TimeSpan.FromSeconds(1), Token) > 0 ? "yes" : null, "it is taken for dead");
        Assert.Contains("interrupted", (await world.StatusAsync()).Problem, StringComparison.Ordinal);
        await next.AssertOnTursoAsync(served, 300);

        var (done, moved) = await next.MigrateAsync(served, MigrationKind.Migrate);
        Assert.Null(done.Problem);
        Assert.Equal(301, await CountAsync(moved!));
        await moved!.DisposeAsync();
        Assert.False(dying.IsCompletedSuccessfully);
    }

    /// <summary>It was only slow, and goes on when others have taken it for dead.</summary>
    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Silo_ThatIsTakenForDeadAndGoesOn_MovesNothing(MigrationStep step)
    {
        var world = await WorldAsync();
        await using var turso = await world.OpenTursoAsync();
        world.Migrations.Tools.AtStep = async at =>
        {
            if (at == step) await Eventually.GetAsync(async () => await world.Catalog.EndStaleMigrationsAsync(TimeSpan.Zero, Token) > 0 ? "yes" : null, "it is taken for dead");
        };
        var (status, moved) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(moved);
        Assert.Equal(MigrationStep.Failed, status.Step);
        await world.AssertOnTursoAsync(turso, 300);
    }

    [Fact]
    public async Task Bucket_ThatIsDownAtTheEnd_LeavesTheOrganizationOnTurso()
    {
        var world = await WorldAsync();
        await using var turso = await world.OpenTursoAsync();
        world.Migrations.Tools.AtStep = at => at == MigrationStep.Uploading
            ? _bench.SetFaultsAsync("""[{"method":"*","namePrefix":"","action":"status","status":503}]""")
            : Task.CompletedTask;
        var (failed, none) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(none);
        Assert.Equal(MigrationStep.Failed, failed.Step);
        Assert.Contains("replica", failed.Problem, StringComparison.Ordinal);
        Assert.True(failed.Report!.FrozenSeconds > 0);
        await world.AssertOnTursoAsync(turso, 300);

        await _bench.ClearFaultsAsync();
        world.Migrations.Tools.AtStep = null;
        var (done, moved) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(done.Problem);
        Assert.Equal(301, await CountAsync(moved!));
        await moved!.DisposeAsync();
    }

    [Fact]
    public async Task Row_ChangedBehindOurBackWhileWritesAreRefused_IsFoundAndNothingIsMoved()
    {
        var world = await WorldAsync();
        await using var turso = await world.OpenTursoAsync();
        world.Migrations.Tools.AtStep = at => at == MigrationStep.Verifying ? world.OnServerAsync("UPDATE deals SET amount = amount + 1 WHERE id = 77") : Task.CompletedTask;
        var (failed, none) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(none);
        Assert.Contains("table deals has as many rows, but not the same", failed.Problem, StringComparison.Ordinal);
        Assert.Equal([("deals", false)], failed.Report!.Tables.Where(table => table.IsSame == false).Select(table => (table.Name, table.IsSame!.Value)));
        await world.AssertOnTursoAsync(turso, 300);
    }

    /// <summary>Begun after the preflight, it has committed some of its rows; in SQLite it would begin anew and take them in again.</summary>
    [Fact]
    public async Task Import_ThatIsHalfDoneWhenWritesAreRefused_MovesNothing()
    {
        var world = await WorldAsync();
        await using var turso = await world.OpenTursoAsync();
        await world.OnServerAsync("CREATE TABLE silo_import_chunks (subject TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL)");
        world.Migrations.Tools.AtStep = at => at == MigrationStep.Freezing
            ? world.OnServerAsync("INSERT INTO silo_import_chunks (subject, first, last) VALUES ('i', 1, 100)")
            : Task.CompletedTask;
        var (failed, none) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(none);
        Assert.Contains("import is half done", failed.Problem, StringComparison.Ordinal);
        await world.AssertOnTursoAsync(turso, 300);
    }

    [Fact]
    public async Task Freeze_LongerThanItMayBe_IsGivenUp()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Migration:MaxFreeze"] = "00:00:01" });
        var world = await WorldAsync(bench);
        await using var turso = await world.OpenTursoAsync();
        world.Migrations.Tools.AtStep = at => at == MigrationStep.Verifying
            ? Eventually.GetAsync(async () => (await world.StatusAsync()) is { Step: MigrationStep.CatchingUp } status && status.RenewedAt > status.StartedAt.AddSeconds(2) ? "yes" : null, "a second is over")
            : Task.CompletedTask;
        var (failed, none) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(none);
        Assert.Contains("Migration:MaxFreeze", failed.Problem, StringComparison.Ordinal);
        await world.AssertOnTursoAsync(turso, 300);
    }

    /// <summary>It was sent before the freeze and comes after the last comparison. The gateway sends it again, by its id.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Write_OfAnotherClusterThatComesAfterTheLastComparison_IsNotConfirmed(bool comesAfterTheMove)
    {
        var world = await WorldAsync();
        await using var turso = await world.OpenTursoAsync();
        var gate = new Gate();
        await using var theirs = await world.On(_bench.Silo("two")).OpenThroughAsync(_turso, gate);
        await theirs.CreateAsync(NewId(), new ContactFields("before"), Token);
        var write = gate.Hold(() => theirs.CreateAsync("late", new ContactFields("Late"), Token));
        await gate.Arrived;
        if (!comesAfterTheMove)
        {
            world.Migrations.Tools.AtStep = async at =>
            {
                if (at != MigrationStep.Uploading) return;
                gate.Open();
                await Record.ExceptionAsync(() => write);
            };
        }
        var (done, moved) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        gate.Open();
        Assert.Null(done.Problem);
        Assert.True((await Assert.ThrowsAsync<OrganizationException>(() => write)).MayHaveHappened);
        Assert.Equal(302, await world.OnServerAsync("SELECT count(*) FROM contacts"));
        Assert.Equal(301, await CountAsync(moved!));
        await moved!.CreateAsync("late", new ContactFields("Late"), Token);
        Assert.Equal(302, await CountAsync(moved));
        await moved.DisposeAsync();
    }

    /// <summary>The migration waits for it, so it is confirmed though writes are refused by then.</summary>
    [Fact]
    public async Task Write_UnderWayWhereTheMigrationRuns_IsConfirmedAndMoves()
    {
        var world = await WorldAsync();
        var gate = new Gate();
        await using var turso = await world.OpenThroughAsync(_turso, gate);
        await turso.CreateAsync(NewId(), new ContactFields("before"), Token);
        var write = gate.Hold(() => turso.CreateAsync("late", new ContactFields("Late"), Token));
        await gate.Arrived;
        var migrating = world.MigrateAsync(turso, MigrationKind.Migrate);
        await Eventually.GetAsync(async () => (await world.RowAsync()).IsDbProvisioning ? "yes" : null, "writes are refused");
        gate.Open();
        Assert.Equal("late", (await write).Id);
        var (done, moved) = await migrating;
        Assert.Null(done.Problem);
        Assert.Equal(302, await CountAsync(moved!));
        await moved!.DisposeAsync();
    }

    [Fact]
    public async Task Write_ThatDoesNotEnd_IsWaitedForNoLongerThanAFreezeMayTake()
    {
        await using var bench = await DatabaseBench.StartAsync(new() { ["Migration:MaxFreeze"] = "00:00:01" });
        var world = await WorldAsync(bench);
        var gate = new Gate();
        await using var turso = await world.OpenThroughAsync(_turso, gate);
        await turso.CreateAsync(NewId(), new ContactFields("before"), Token);
        var write = gate.Hold(() => turso.CreateAsync(NewId(), new ContactFields("endless"), Token));
        await gate.Arrived;
        var (failed, none) = await world.MigrateAsync(turso, MigrationKind.Migrate);
        Assert.Null(none);
        Assert.Contains("Migration:MaxFreeze", failed.Problem, StringComparison.Ordinal);
        gate.Open();
        await write;
        await world.AssertOnTursoAsync(turso, 302);
    }

    [Fact]
    public async Task TwoOperators_AtOnce_AreTwoOfWhomOneIsRefused()
    {
        var world = await WorldAsync();
        var other = world.On(_bench.Silo("two"));
        var begun = await Task.WhenAll(((World[])[world, other]).Select(async one =>
        {
            try
            {
                return await one.BeginAsync(MigrationKind.Migrate);
            }
            catch (OrganizationException e) when (e.Code == OrganizationErrorCode.MigrationInProgress)
            {
                return null;
            }
        }));
        var run = Assert.Single(begun, run => run is not null)!;
        await using var turso = await world.OpenTursoAsync();
        await using var moved = await run.MigrateAsync(turso, world.Owner, new ActivationPhases(TimeProvider.System), Token);
        Assert.Equal(300, await CountAsync(moved!));
        await run.DisposeAsync();
        Assert.Equal(OrganizationErrorCode.InvalidRequest, (await Assert.ThrowsAsync<OrganizationException>(() => other.BeginAsync(MigrationKind.Migrate))).Code);
    }

    [Fact]
    public async Task Begin_WhereItCannot_IsRefusedInWords()
    {
        var world = await WorldAsync();
        foreach (var kind in (MigrationKind[])[MigrationKind.Verify, MigrationKind.RollBack])
            Assert.Contains("lives on Turso", (await Assert.ThrowsAsync<OrganizationException>(() => world.BeginAsync(kind))).Message, StringComparison.Ordinal);
        var lite = await world.Catalog.AddAsync(new NewOrganization(OrganizationId.Parse($"lite-{NewId()}"), "Lite", OrganizationDbType.Sqlite, null, null), Token);
        foreach (var (kind, why) in ((MigrationKind, string)[])[(MigrationKind.Inspect, "already"), (MigrationKind.Migrate, "already"), (MigrationKind.Verify, "never moved"), (MigrationKind.RollBack, "never moved")])
            Assert.Contains(why, (await Assert.ThrowsAsync<OrganizationException>(() => world.Migrations.BeginAsync(lite, kind, Token))).Message, StringComparison.Ordinal);

        var gone = await world.Catalog.AddAsync(new NewOrganization(OrganizationId.Parse($"gone-{NewId()}"), "Gone", OrganizationDbType.Turso, "http://127.0.0.1:9/", null), Token);
        await using var run = await world.Migrations.BeginAsync(gone, MigrationKind.Inspect, Token);
        await run.InspectAsync(Token);
        Assert.Equal(MigrationStep.Failed, run.Status.Step);
        Assert.NotEmpty(run.Status.Problem!);
    }

    private static string NewId() => Guid.CreateVersion7().ToString();

    private static async Task<int> CountAsync(IOrgDatabase database) =>
        JsonDocument.Parse((await database.CountAsync(Token)).Utf8!).RootElement.GetProperty("count").GetInt32();

    private async Task<World> WorldAsync(DatabaseBench? bench = null)
    {
        bench ??= _bench;
        var silo = bench.Silo("one");
        var catalog = silo.GetRequiredService<OrganizationCatalog>();
        await catalog.MigrateAsync(Token);
        var id = $"run-{Interlocked.Increment(ref _organizations)}";
        var url = await fixture.Sqld.CreateAsync(id, Token);
        var organization = await catalog.AddAsync(new NewOrganization(OrganizationId.Parse(id), id, OrganizationDbType.Turso, url.ToString(), null), Token);
        var remote = silo.GetRequiredService<TursoClient>().Open(organization.Id, TursoAddress.Parse(url.ToString()));
        await remote.ExecuteScriptAsync(Legacy, Token);
        return new World(silo, organization.Id, remote);
    }

    /// <summary>One organization as one silo sees it.</summary>
    private sealed class World(ServiceProvider silo, OrganizationId id, TursoDatabase remote)
    {
        public HeadOwner Owner { get; } = new("test", "silo", Guid.NewGuid().ToString());

        public OrganizationCatalog Catalog => silo.GetRequiredService<OrganizationCatalog>();

        public OrganizationMigrations Migrations => silo.GetRequiredService<OrganizationMigrations>();

        public World On(ServiceProvider other) => new(other, id, remote);

        public async Task<TursoOrgDatabase> OpenTursoAsync() => await silo.GetRequiredService<TursoOrgDatabaseOpening>().OpenAsync(await RowAsync(), Owner, new ActivationPhases(TimeProvider.System), Token);

        /// <summary>The same, by a way that holds requests.</summary>
        public async Task<TursoOrgDatabase> OpenThroughAsync(TursoBench bench, Gate gate)
        {
            var url = await bench.ProxyAsync(remote, async _ =>
            {
                await gate.PassAsync();
                return false;
            });
            // The machine may be slow, and none of these requests is to be given up.
            var held = bench.Open(url, options => (options.RequestTimeout, options.TotalTimeout) = (TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10)), organization: id.Value);
            return new TursoOrgDatabase(held, new CatalogWatch(await RowAsync(), Catalog, TimeProvider.System), null!, new DatabaseOptions(), TimeProvider.System, NullLogger.Instance);
        }

        public async Task<OrgDatabase> OpenSqliteAsync() => await silo.GetRequiredService<OrgDatabaseOpening>().OpenAsync(await RowAsync(), Owner, new ActivationPhases(TimeProvider.System), Token);

        public async Task<MigrationRun> BeginAsync(MigrationKind kind) => await Migrations.BeginAsync(await RowAsync(), kind, Token);

        public async Task<(MigrationStatus Status, OrgDatabase? Moved)> MigrateAsync(TursoOrgDatabase serving, MigrationKind kind)
        {
            await using var run = await BeginAsync(kind);
            var moved = await run.MigrateAsync(serving, Owner, new ActivationPhases(TimeProvider.System), Token);
            return (run.Status, moved);
        }

        public async Task RunAsync(MigrationKind kind, Func<MigrationRun, Task> use)
        {
            await using var run = await BeginAsync(kind);
            await use(run);
        }

        public async Task<MigrationStatus> StatusAsync() => (await Migrations.FindAsync(id, Token))!;

        public async Task<long> OnServerAsync(string sql)
        {
            var rows = (await remote.ExecuteAsync(new TursoStatement(sql), Token)).Rows;
            return rows.Count == 0 ? 0 : rows[0][0].AsInteger();
        }

        /// <summary>It is served from Turso as before: read, and written to.</summary>
        public async Task AssertOnTursoAsync(TursoOrgDatabase turso, int contacts)
        {
            var row = await RowAsync();
            Assert.Equal((OrganizationDbType.Turso, false), (row.DbType, row.IsDbProvisioning));
            Assert.Equal(contacts, await CountAsync(turso));
            await turso.CreateAsync(NewId(), new ContactFields("on Turso"), Token);
        }

        public async Task<Organization> RowAsync() => (await Catalog.FindAsync(id, Token))!;
    }
}
