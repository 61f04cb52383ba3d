using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Imports;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Lease;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Catalog;
using Silo.Tests.Storage.Databases;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Imports;

/// <summary>Imports into an organization on a real libSQL server, by clusters that share a bucket.</summary>
public sealed class TursoImportTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncLifetime
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(60);

    private readonly TursoBench _turso = new();
    private readonly CatalogFixture _catalog = new();
    private readonly List<OrgImports> _imports = [];
    private DatabaseBench _bench = null!;
    private TursoDatabase _remote = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _bench = await DatabaseBench.StartAsync(new() { ["Imports:TursoRows"] = "500" });
        _remote = await _turso.CreateAsync(fixture.Sqld);
        var catalog = await _catalog.OpenMigratedAsync();
        await catalog.AddAsync(new NewOrganization(_remote.Organization, "Acme", OrganizationDbType.Turso, _remote.Address.ToString(), null), Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var imports in _imports) await imports.DisposeAsync();
        await _bench.DisposeAsync();
        await _turso.DisposeAsync();
        _catalog.Dispose();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("CREATE TABLE contacts (id TEXT, name TEXT, email TEXT, phone TEXT)")]
    public async Task TwoClusters_ImportAtOnce_OneAfterTheOtherAndEachFileOnce(string? table)
    {
        if (table is not null) await _remote.ExecuteScriptAsync(table, Token);
        var one = Cluster("one", _remote);
        var two = Cluster("two", _remote);
        // The second half of the one is the first half of the other.
        var first = await StageAsync("one", 0, 3_000);
        var second = await StageAsync("two", 1_500, 3_000);
        await Task.WhenAll(one.BeginAsync(first, Token), two.BeginAsync(second, Token));
        // Each is asked of both: a cluster finds in the bucket what the other accepted, and goes on with it if that one died.
        ImportStatus[] ended = [await one.FindAsync(first.Id, Wait, Token), await two.FindAsync(second.Id, Wait, Token)];
        Assert.All(ended, status => Assert.Equal((ImportState.Completed, true, 6), (status.State, status.Durable, status.Transactions)));
        Assert.Equal((4_500, 1_500), (ended.Sum(status => status.Imported), ended.Sum(status => status.Skipped)));
        await EndsWithAsync(4_500);
    }

    [Fact]
    public async Task Import_WhileAnotherClusterHoldsTheLease_WaitsForIt()
    {
        var organization = DatabaseBench.Org(_remote.Organization.Value);
        var theirs = new OrganizationHead { Epoch = 3, State = HeadState.Acquiring, Owner = new HeadOwner("there", "silo", "a"), OperationId = "x", TtlMs = 600_000 };
        await _bench.WriteHeadAsync(organization, new StoredHead(null!, 0), theirs);
        var one = Cluster("one", _remote);
        var import = await StageAsync("one", 0, 10);
        await one.BeginAsync(import, Token);
        await Eventually.GetAsync(async () => (await one.FindAsync(import.Id, TimeSpan.Zero, Token)).Phase == ImportPhase.Merging ? "waits" : null, "the import waits for the lease");
        Assert.Equal(0, await CountAsync());
        var heads = new HeadStore(_bench.Bucket, TimeProvider.System);
        var found = (await heads.ReadAsync(organization.Id, Token))!;
        Assert.Equal(theirs, found.Head);

        await _bench.WriteHeadAsync(organization, found, theirs with { State = HeadState.Released });
        Assert.Equal((ImportState.Completed, 10L, 1), await one.FindAsync(import.Id, Wait, Token) is var done ? (done.State, done.Imported, done.Transactions!.Value) : default);
        var head = (await heads.ReadAsync(organization.Id, Token))!.Head;
        Assert.Equal((4, HeadState.Released, 600_000), (head.Epoch, head.State, head.TtlMs));
    }

    [Fact]
    public async Task Import_WhoseTransactionsAreNotAnswered_GoesOnAndTakesNoRowTwice()
    {
        var sent = 0;
        var url = await _turso.ProxyAsync(_remote, _ => Task.FromResult(false), context => context.Request.ContentLength > 20_000 && ++sent % 2 == 0 && TursoBench.Abort(context));
        var one = Cluster("one", _turso.Open(url, organization: _remote.Organization.Value));
        var import = await StageAsync("one", 0, 2_000);
        await one.BeginAsync(import, Token);
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Completed, 2_000L, 0L, 4), (done.State, done.Imported, done.Skipped, done.Transactions!.Value));
        Assert.True(sent >= 4);
        await EndsWithAsync(2_000);
    }

    [Fact]
    public async Task Import_ThatTheOlderTableRefuses_FailsAndChangesNothing()
    {
        await _remote.ExecuteScriptAsync("CREATE TABLE contacts (id TEXT, name TEXT CHECK (length(name) < 9), email TEXT)", Token);
        var one = Cluster("one", _remote);
        var import = await StageAsync("one", 0, 700); // "person 99" is too long
        await one.BeginAsync(import, Token);
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Failed, "database_refused"), (done.State, done.Errors[0].Code));
        Assert.Equal(0, await CountAsync());
    }

    /// <summary>It cannot be all or nothing there: what is in stays and is told, and nothing is tried for ever that never will do.</summary>
    [Fact]
    public async Task Import_ThatTheOlderTableRefusesOnTheWay_EndsAndTellsWhatIsIn()
    {
        await _remote.ExecuteScriptAsync("CREATE TABLE contacts (id TEXT, name TEXT CHECK (length(name) < 11), email TEXT)", Token);
        var one = Cluster("one", _remote);
        var import = await StageAsync("one", 0, 1_200); // "person 1000" is too long, and in the third transaction
        await one.BeginAsync(import, Token);
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Failed, "database_refused", 1_000L, 0L), (done.State, done.Errors[0].Code, done.Imported, done.Updated));
        Assert.Contains("The rows until there are in", done.Errors[0].Message, StringComparison.Ordinal);
        await EndsWithAsync(1_000);

        var next = await StageAsync("one", 0, 10);
        await one.BeginAsync(next, Token);
        Assert.Equal((ImportState.Completed, 10L), await one.FindAsync(next.Id, Wait, Token) is var after ? (after.State, after.Skipped) : default);
    }

    /// <summary>No row breaks a rule, and none will ever come in; those that wait behind it must.</summary>
    [Theory]
    [InlineData("CREATE TABLE contacts (id TEXT, name TEXT, email TEXT); CREATE TRIGGER broken AFTER INSERT ON contacts BEGIN INSERT INTO missing VALUES (1); END")]
    [InlineData("CREATE TABLE people (id TEXT, name TEXT, email TEXT, created_at TEXT, updated_at TEXT); CREATE VIEW contacts AS SELECT * FROM people")]
    public async Task Import_ThatTheDatabaseNeverTakes_FailsAndChangesNothing(string schema)
    {
        await _remote.ExecuteScriptAsync(schema, Token);
        var one = Cluster("one", _remote);
        var import = await StageAsync("one", 0, 10);
        await one.BeginAsync(import, Token);
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Failed, "database_refused"), (done.State, done.Errors is [var error, ..] ? error.Code : null));
        Assert.Equal(ImportState.Failed, (await (await DatabaseAsync("two", _remote, Token)).FindImportAsync(import.Id, Token))!.Status.State);
        Assert.Equal(0, await CountAsync());
    }

    /// <summary>A proxy takes less than we would send; what it takes shows only when it refuses.</summary>
    [Theory]
    [InlineData(20_000, ImportState.Completed)]
    [InlineData(3_000, ImportState.Failed)]
    public async Task Import_WhoseTransactionsAreTooLarge_SendsSmallerOnes(int largest, ImportState state)
    {
        var url = await _turso.ProxyAsync(_remote, context =>
        {
            var isTooLarge = context.Request.ContentLength > largest;
            if (isTooLarge) context.Response.StatusCode = 413;
            return Task.FromResult(isTooLarge);
        });
        var one = Cluster("one", _turso.Open(url, organization: _remote.Organization.Value));
        var import = await StageAsync("one", $"name,email,notes\n{string.Concat(Enumerable.Range(0, 40).Select(i => string.Create(CultureInfo.InvariantCulture, $"person {i},p-{i}@x.org,{new string('x', 2_000)}\n")))}", new ImportOptions());
        await one.BeginAsync(import, Token);
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((state, state == ImportState.Completed ? 40 : 0), (done.State, done.Imported));
        if (state == ImportState.Completed) await EndsWithAsync(40);
        else Assert.Equal("database_refused", done.Errors[0].Code);
    }

    /// <summary>Such as a contact that came in meanwhile: the next try passes over it.</summary>
    [Fact]
    public async Task Import_ThatIsRefusedOnceOnTheWay_GoesOn()
    {
        await _remote.ExecuteScriptAsync(
            """
            CREATE TABLE contacts (id TEXT, name TEXT, email TEXT);
            CREATE TABLE gate (shut);
            INSERT INTO gate VALUES (1);
            CREATE TRIGGER guard BEFORE INSERT ON contacts WHEN NEW.name = 'person 600' AND EXISTS (SELECT 1 FROM gate) BEGIN SELECT RAISE(ABORT, 'not now'); END;
            """, Token);
        var sent = 0;
        var url = await _turso.ProxyAsync(_remote, async context =>
        {
            // The first is in, the second was refused, and this is its next try.
            if (context.Request.ContentLength > 20_000 && ++sent == 3) await _remote.ExecuteScriptAsync("DELETE FROM gate", Token);
            return false;
        });
        var one = Cluster("one", _turso.Open(url, organization: _remote.Organization.Value));
        var import = await StageAsync("one", 0, 900);
        await one.BeginAsync(import, Token);
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Completed, 900L, 3), (done.State, done.Imported, sent));
        await EndsWithAsync(900);
    }

    /// <summary>Told to send its file again, a caller would add those rows twice that have no key.</summary>
    [Fact]
    public async Task Import_HalfDone_WaitsForRoomOnTheDiskInsteadOfFailing()
    {
        IOrgDatabase database = await DatabaseAsync("one", _remote, Token);
        var import = await StageAsync("one", 0, 10);
        await _remote.ExecuteScriptAsync(
            $"""
            CREATE TABLE silo_import_chunks (subject TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, imported INTEGER NOT NULL, updated INTEGER NOT NULL);
            INSERT INTO silo_import_chunks VALUES ('{import.Id}', 0, 500, 400, 7);
            """, Token);

        var refused = await Assert.ThrowsAsync<OrganizationException>(() => database.RecordAsync(Failed("disk_full"), Token));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refused.Code);
        Assert.Null(await database.FindImportAsync(import.Id, Token));

        var ended = await database.RecordAsync(Failed("unexpected_error"), Token);
        Assert.Equal((400, 7), (ended.Status.Imported, ended.Status.Updated));
        Assert.Equal(400, (await database.FindImportAsync(import.Id, Token))!.Status.Imported);
        Assert.Equal(0, (await _remote.QueryAsync(new TursoStatement("SELECT count(*) FROM silo_import_chunks"), Token)).Rows[0][0].AsInteger());

        ImportRecord Failed(string code) => new(
            import, new ImportStatus { Id = import.Id, State = ImportState.Failed, StartedAt = DateTimeOffset.UnixEpoch, Errors = [new ImportError(0, code, "")] });
    }

    /// <summary>Rows are matched once, and the first transaction comes seconds later.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("CREATE TABLE contacts (id TEXT, name TEXT, email TEXT, phone TEXT)")]
    [InlineData("CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT, email TEXT NOT NULL, phone TEXT NOT NULL, notes TEXT)")]
    public async Task Import_OverContactsThatWereChangedMeanwhile_LeavesThemAndAddsItsRows(string? table)
    {
        if (table is not null) await _remote.ExecuteScriptAsync(table, Token);
        var editor = await DatabaseAsync("editor", _remote, Token);
        foreach (var (id, email, phone) in ((string, string?, string?)[])[("a", "a@x.org", null), ("p", null, "+49 1"), ("g", "gone@x.org", null), ("n", "ÖL@x.org", null), ("q", null, "(2) 2")])
            await editor.CreateAsync(id, new ContactFields("before", email, phone), Token);
        var gate = new Gate();
        var one = Cluster("one", _turso.Open(await ChunksThroughAsync(gate), HoldOn, organization: _remote.Organization.Value));
        var notes = new string('x', 9_000);
        var import = await StageAsync("one", $"name,email,phone,notes\nfile,a@x.org,,{notes}\nfile,,+49 1,\nfile,GONE@x.org,,\nfile,öl@x.org,,\nfile,,2-2,\n", new ImportOptions { OverwriteExisting = true });
        var begun = gate.Hold(() => one.BeginAsync(import, Token));
        await begun;
        await gate.Arrived;
        await editor.ReplaceAsync("a", new ContactFields("edited", "b@x.org"), Token);
        await editor.ReplaceAsync("p", new ContactFields("edited", "p@x.org", "+49 1"), Token);
        await editor.DeleteAsync("g", false, Token);
        await editor.ReplaceAsync("q", new ContactFields("edited", null, "22"), Token);
        gate.Open();
        var done = await one.FindAsync(import.Id, Wait, Token);
        Assert.Equal((ImportState.Completed, 3L, 2L, 0L), (done.State, done.Imported, done.Updated, done.Skipped));
        Assert.Equal(
            [
                ("edited", "b@x.org", ""), ("edited", "p@x.org", "+49 1"), ("file", "", "+49 1"), ("file", "", "2-2"), ("file", "GONE@x.org", ""), ("file", "a@x.org", ""), ("file", "öl@x.org", ""),
            ],
            (await _remote.QueryAsync(new TursoStatement("SELECT name, coalesce(email, ''), coalesce(phone, '') FROM contacts ORDER BY 1, 2, 3"), Token)).Rows.Select(row => (row[0].AsText(), row[1].AsText(), row[2].AsText())));
        foreach (var there in (ContactFields[])[new("x", "a@x.org"), new("x", "b@x.org"), new("x", "p@x.org"), new("x", null, "+491")])
            Assert.Equal(OrganizationErrorCode.ContactExists, (await Assert.ThrowsAsync<OrganizationException>(() => editor.CreateAsync(Guid.NewGuid().ToString(), there, Token))).Code);
        await editor.CreateAsync("free", new ContactFields("x", "free@x.org"), Token);
    }

    /// <summary>The lease had run out, and another cluster was about to go on with an import that was done a moment later.</summary>
    [Fact]
    public async Task Import_ThatIsRecordedWhileAnotherClusterGoesOnWithIt_IsNotTakenInAgain()
    {
        await using var elsewhere = await DatabaseBench.StartAsync(); // where its lease is: as if the one had none any more
        var gate = new Gate();
        var url = await _turso.ProxyAsync(_remote, async context =>
        {
            if (context.Request.Path.Value!.EndsWith("cursor", StringComparison.Ordinal)) await gate.PassAsync();
            return false;
        });
        var one = Cluster("one", _remote);
        var two = Cluster("two", _turso.Open(url, HoldOn, organization: _remote.Organization.Value), elsewhere.Bucket);
        var import = await StageAsync("one", "name\n" + string.Concat(Enumerable.Range(0, 1_200).Select(i => string.Create(CultureInfo.InvariantCulture, $"person {i}\n"))), new ImportOptions());
        await gate.Hold(() => two.BeginAsync(import, Token));
        await gate.Arrived;
        await one.BeginAsync(import, Token);
        Assert.Equal((ImportState.Completed, 1_200L), await one.FindAsync(import.Id, Wait, Token) is var first ? (first.State, first.Imported) : default);
        gate.Open();
        Assert.Equal((ImportState.Completed, 1_200L), await two.FindAsync(import.Id, Wait, Token) is var second ? (second.State, second.Imported) : default);
        Assert.Equal(1_200, await CountAsync());
        Assert.Equal(0, (await _remote.QueryAsync(new TursoStatement("SELECT count(*) FROM silo_import_chunks"), Token)).Rows[0][0].AsInteger());
    }

    [Fact]
    public async Task Import_WhileTheOrganizationIsMigrated_WaitsForItsEnd()
    {
        _catalog.Sql("UPDATE organizations SET is_db_provisioning = 1");
        var one = Cluster("one", _remote);
        var import = await StageAsync("one", 0, 10);
        await one.BeginAsync(import, Token);
        await Eventually.GetAsync(async () => (await one.FindAsync(import.Id, TimeSpan.Zero, Token)).Phase == ImportPhase.Merging ? "waits" : null, "the import waits for the migration");
        Assert.Empty((await _remote.QueryAsync(new TursoStatement("SELECT name FROM sqlite_schema"), Token)).Rows);
        _catalog.Sql("UPDATE organizations SET is_db_provisioning = 0");
        Assert.Equal(10, (await one.FindAsync(import.Id, Wait, Token)).Imported);
    }

    // The machine may be slow, and no request that is held is to be given up.
    private static void HoldOn(TursoOptions options) => (options.RequestTimeout, options.TotalTimeout) = (TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10));

    /// <summary>A way to the database that holds rows, which are long.</summary>
    private Task<Uri> ChunksThroughAsync(Gate gate) => _turso.ProxyAsync(_remote, async context =>
    {
        if (context.Request.ContentLength > 8_000) await gate.PassAsync();
        return false;
    });

    private OrgImports Cluster(string name, TursoDatabase remote, BucketClient? leases = null)
    {
        TursoOrgDatabase? database = null;
        var imports = new OrgImports(remote.Organization, async token => database ??= await DatabaseAsync(name, remote, token, leases), _bench.Silo(name).GetRequiredService<ImportIntake>());
        _imports.Add(imports);
        return imports;
    }

    private async Task<TursoOrgDatabase> DatabaseAsync(string name, TursoDatabase remote, CancellationToken token, BucketClient? leases = null)
    {
        var catalog = _catalog.Open();
        var held = new TursoImportLock(remote.Organization, new HeadOwner(name, "silo", name, name), leases ?? _bench.Bucket, new KnownDeaths(Microsoft.Extensions.Options.Options.Create(new LeaseOptions()), TimeProvider.System), TimeProvider.System, NullLoggerFactory.Instance);
        var watch = new CatalogWatch((await catalog.FindAsync(remote.Organization, token))!, catalog, TimeProvider.System);
        return new TursoOrgDatabase(remote, watch, held, new DatabaseOptions(), TimeProvider.System, NullLogger.Instance);
    }

    private async Task EndsWithAsync(long contacts)
    {
        Assert.Equal(contacts, await CountAsync());
        Assert.Equal(contacts, (await _remote.QueryAsync(new TursoStatement("SELECT count(DISTINCT lower(email)) FROM contacts"), Token)).Rows[0][0].AsInteger());
        Assert.Equal(0, (await _remote.QueryAsync(new TursoStatement("SELECT count(*) FROM silo_import_chunks"), Token)).Rows[0][0].AsInteger());
        Assert.Equal(HeadState.Released, (await _bench.HeadAsync(DatabaseBench.Org(_remote.Organization.Value))).State);
    }

    private async Task<long> CountAsync() =>
        (await _remote.QueryAsync(new TursoStatement("SELECT count(*) FROM sqlite_schema WHERE name = 'contacts'"), Token)).Rows[0][0].AsInteger() == 0
            ? 0
            : (await _remote.QueryAsync(new TursoStatement("SELECT count(*) FROM contacts"), Token)).Rows[0][0].AsInteger();

    private Task<StagedImport> StageAsync(string cluster, int from, int count) => StageAsync(
        cluster, "name,email\n" + string.Concat(Enumerable.Range(from, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"person {i},person-{i}@example.org\n"))), new ImportOptions());

    private async Task<StagedImport> StageAsync(string cluster, string text, ImportOptions options)
    {
        var file = Encoding.UTF8.GetBytes(text);
        var import = new StagedImport
        {
            Id = Guid.NewGuid().ToString(),
            Format = ImportFormat.Csv,
            IsGzip = false,
            Bytes = file.Length,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(file)),
            Options = options,
            User = cluster,
            ReceivedAt = DateTimeOffset.UnixEpoch,
        };
        await _bench.Silo("stager-" + import.Id).GetRequiredService<StagedImports>().UploadAsync(_remote.Organization, import.Id, new MemoryStream(file), Token);
        return import;
    }
}
