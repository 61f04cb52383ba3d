using System.Globalization;
using System.Text.Json;

namespace Silo.SystemTests;

/// <summary>Organizations of the older system move from a real libSQL server into the bucket, by the API and by the command line, while they are used.</summary>
public sealed class MigrationTests : IAsyncLifetime
{
    private const int Rows = 2_000;

    private TursoServer _turso = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _turso = await TursoServer.StartAsync();

    public ValueTask DisposeAsync() => _turso.DisposeAsync();

    [Fact]
    public async Task Organization_InUse_MovesWithoutLosingAWriteAndGoesBack()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine);
        await CreateAsync(silo, "acme", Rows);
        var acme = silo.Member("acme");

        // It is written to all the time; whoever is told to come back comes back.
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var written = new List<string>();
        var refused = 0;
        var writing = Task.Run(
            async () =>
            {
                for (var i = 0; !enough.IsCancellationRequested; i++)
                {
                    var answer = await acme.AddContactAsync($"while it moves {i}");
                    if (answer.Status == 201)
                    {
                        written.Add($"while it moves {i}");
                        continue;
                    }
                    answer.Refuses(503, "database_provisioning");
                    refused++;
                }
            }, Cancellation);
        var looked = await silo.CommandAsync(0, "migrate", "--org", "acme", "--inspect", "--json");
        Assert.InRange(JsonDocument.Parse(looked).RootElement.GetProperty("items")[0].GetProperty("status").GetProperty("report").GetProperty("tables").GetArrayLength(), 2, 3);
        var dry = JsonDocument.Parse(await silo.CommandAsync(0, "migrate", "--org", "acme", "--dry-run", "--json")).RootElement.GetProperty("items")[0].GetProperty("status");
        Assert.NotEqual(JsonValueKind.Null, dry.GetProperty("verifiedAt").ValueKind);
        Assert.Equal("turso", await ArchitectureAsync(silo, "acme"));
        var moved = JsonDocument.Parse(await silo.CommandAsync(0, "migrate", "--org", "acme", "--yes", "--json")).RootElement.GetProperty("items")[0].GetProperty("status");
        var before = written.Count;
        await Eventually.IsAsync(() => written.Count > before + 5, "writes go on in SQLite");
        await enough.CancelAsync();
        await writing;

        Assert.Equal("completed", moved.GetProperty("step").GetString());
        Assert.All(moved.GetProperty("report").GetProperty("tables").EnumerateArray(), table => Assert.True(table.GetProperty("isSame").GetBoolean()));
        Assert.Equal("sqlite", await ArchitectureAsync(silo, "acme"));
        Assert.True(refused > 0, "Nothing was ever refused, so nothing shows that writes were.");
        var names = await acme.NamesAsync();
        Assert.Equal(Rows + written.Count, names.Count);
        Assert.Equal(written.AsEnumerable().Reverse(), names.Take(written.Count));
        var onServer = int.Parse((await _turso.SqlAsync("acme", "SELECT count(*) FROM contacts"))[0][0]!, CultureInfo.InvariantCulture);
        Assert.InRange(onServer, Rows + 1, names.Count - 1);
        Assert.Contains("in SQLite already", await silo.CommandAsync(1, "migrate", "--org", "acme", "--dry-run"), StringComparison.Ordinal);
        Assert.Contains("acme", await silo.CommandAsync(0, "orgs", "report"), StringComparison.Ordinal);

        // It is an organization in the bucket like any other.
        await silo.KillAsync();
        silo = await StartAsync(machine);
        acme = silo.Member("acme");
        Assert.Equal(names, await acme.NamesAsync());
        (await acme.AddContactAsync("after", "replicated")).Is(201);
        Assert.Equal(names.Count + 1, (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
        Assert.DoesNotContain(_turso.Token, silo.Process.Output + silo.Process.Errors, StringComparison.Ordinal);

        // Back: what Turso does not have keeps it here until that is said to be of no account.
        Assert.Contains("1 contacts were added".Replace("1", (names.Count + 1 - onServer).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal), await silo.CommandAsync(1, "migrate", "--rollback", "acme", "--yes"), StringComparison.Ordinal);
        (await acme.AddContactAsync("still here")).Is(201);
        await silo.CommandAsync(0, "migrate", "--rollback", "acme", "--yes", "--discard-new-writes");
        Assert.Equal("turso", await ArchitectureAsync(silo, "acme"));
        Assert.Equal(onServer, await acme.CountAsync());
        (await acme.AddContactAsync("on Turso again")).Is(201);
        Assert.Equal(onServer + 1, int.Parse((await _turso.SqlAsync("acme", "SELECT count(*) FROM contacts"))[0][0]!, CultureInfo.InvariantCulture));
        await silo.CommandAsync(0, "migrate", "--org", "acme", "--yes");
        Assert.Equal(onServer + 1, await acme.CountAsync());
        Assert.Equal(0, await silo.TerminateAsync());
        await machine.OnlyRunsAsync();
    }

    /// <summary>Each step holds at the bucket, or is met at random, when the silo is killed.</summary>
    [Theory]
    [InlineData("preflight")]
    [InlineData("copying")]
    [InlineData("catchingUp")]
    [InlineData("verifying")]
    [InlineData("uploading")]
    [InlineData("completed")]
    public async Task Silo_KilledAtAStep_LeavesTheOrganizationWholeOnOneSide(string step)
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine, "--Migration:ChunkRows=50");
        await CreateAsync(silo, "acme", 20_000);
        if (step == "uploading") await silo.Bucket.BreakAsync("""[{"method":"POST","namePrefix":"litestream-replicas/acme/","action":"stall"}]""");
        (await silo.Operator.PostAsync("/api/admin/organizations/acme/migrate", "{}")).Is(202);
        var order = (string[])["preflight", "copying", "freezing", "catchingUp", "verifying", "uploading", "completed"];
        string? seen = null;
        await Eventually.GetAsync(async () =>
        {
            seen = (await silo.Operator.GetAsync("/api/admin/organizations/acme/migrate")).Is(200).Json.GetProperty("step").GetString();
            return Array.IndexOf(order, seen) >= Array.IndexOf(order, step) ? "yes" : null;
        }, $"it is at {step}");
        await silo.KillAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"killed at {seen}");

        silo = await StartAsync(machine, "--Migration:DeadAfter=00:00:03", "--Migration:RenewInterval=00:00:01");
        var acme = silo.Member("acme");
        Assert.Equal(20_000, await acme.CountAsync());
        await Eventually.GetAsync(async () => (await acme.AddContactAsync("afterwards")).Status == 201 ? "yes" : null, "it is written to again");
        var where = await ArchitectureAsync(silo, "acme");
        Assert.Equal(step == "completed" || seen == "completed" ? "sqlite" : "turso", where);
        Assert.Equal(where == "sqlite" ? "completed" : "failed", await Eventually.GetAsync(
            async () => (await silo.Operator.GetAsync("/api/admin/organizations/acme/migrate")).Is(200).Json is var status && status.GetProperty("isRunning").GetBoolean() ? null : status.GetProperty("step").GetString(),
            "the migration has ended"));
        await silo.CommandAsync(0, "migrate", "--org", "acme", "--yes");
        Assert.Equal(20_001, await acme.CountAsync());
        Assert.Equal(20_001, (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
    }

    [Fact]
    public async Task Many_AtOnce_AreAllMovedAndOneThatCannotSaysWhy()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine);
        for (var i = 0; i < 8; i++) await CreateAsync(silo, $"org-{i}", 100 + i);
        await CreateAsync(silo, "odd", 10);
        await _turso.SqlAsync("odd", "CREATE TABLE contacts_before_silo (x)");
        var outcome = await silo.CommandAsync(1, "migrate", "--all", "--yes", "--parallel", "4");
        Assert.Contains("1 of 9 failed.", outcome, StringComparison.Ordinal);
        Assert.Contains("rename it", outcome, StringComparison.Ordinal);
        for (var i = 0; i < 8; i++)
        {
            Assert.Equal("sqlite", await ArchitectureAsync(silo, $"org-{i}"));
            Assert.Equal(100 + i, await silo.Member($"org-{i}").CountAsync());
        }
        Assert.Equal(("turso", 10), (await ArchitectureAsync(silo, "odd"), await silo.Member("odd").CountAsync()));
        var report = JsonDocument.Parse(await silo.CommandAsync(0, "orgs", "report", "--json")).RootElement;
        Assert.Equal((1, 9, 8, 0, 1), (Number("turso"), Number("sqlite"), Number("moved"), Number("running"), Number("failed")));
        await silo.CommandAsync(0, "migrate", "--all", "--verify-only", "--parallel", "4");

        int Number(string name) => report.GetProperty(name).GetInt32();
    }

    private Task<StandaloneHost> StartAsync(Machine machine, params string[] settings) => machine.StartStandaloneAsync([$"--Turso:AuthToken={_turso.Token}", "--Migration:RenewInterval=00:00:00.500", .. settings]);

    private static async Task<string?> ArchitectureAsync(StandaloneHost silo, string organization) =>
        (await silo.Operator.GetAsync($"/api/admin/organizations/{organization}")).Is(200).Json.GetProperty("dbType").GetString();

    private Task<Uri> CreateAsync(StandaloneHost silo, string organization, int rows) => _turso.AddAsync(
        silo, organization,
        "CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, company TEXT, tags TEXT DEFAULT 'new', created_at TEXT)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, contact TEXT, body BLOB)",
        $"WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows}) INSERT INTO contacts SELECT 'c' || n, 'Name ' || n, n || '@x.test', NULL, 'Co', 't', '2024-01-01T00:00:00Z' FROM n",
        "INSERT INTO notes (contact, body) SELECT id, randomblob(40) FROM contacts LIMIT 500");
}
