using Microsoft.Data.Sqlite;

namespace Silo.SystemTests;

/// <summary>
/// An organization of the older system: in its catalog as SQLite, in the bucket as plain Litestream left it, with the older
/// contacts table. Nothing of it was ever touched by this system.
/// </summary>
public sealed class OlderSystemTests
{
    private const string Contacts = """
        CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT, phone TEXT, company TEXT, notes TEXT, agent_id TEXT, tags TEXT, created_at TEXT, updated_at TEXT);
        INSERT INTO contacts VALUES
          ('c-1', 'Ada', 'ada@example.org', NULL, 'Analytical', 'first', 'agent-1', 'vip', '2025-01-01T00:00:00Z', '2025-01-02T00:00:00Z'),
          ('c-2', 'Grace', NULL, '+1 555 0100', NULL, NULL, NULL, NULL, '2025-02-01T00:00:00Z', '2025-02-01T00:00:00Z');
        """;

    [Fact]
    public async Task Replica_OfPlainLitestream_IsAdoptedThroughTheApi()
    {
        await using var machine = new Machine();
        Directory.CreateDirectory(machine.Data);
        Execute(Path.Combine(machine.Data, "catalog.db"), """
            CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at TEXT,
              db_type TEXT DEFAULT 'turso' CHECK(db_type IN ('turso','sqlite')), gcs_bucket_name TEXT, gcs_replica_path TEXT, is_db_provisioning INTEGER DEFAULT 0);
            INSERT INTO organizations VALUES ('acme', 'Acme', '2025-01-01 00:00:00', 'sqlite', 'silo', 'litestream-replicas/acme', 0);
            """);
        var silo = await machine.StartStandaloneAsync();
        await ReplicateAsync(machine, silo);

        var member = silo.Member("acme");
        var page = (await member.GetAsync("/api/contacts")).Is(200);
        Assert.Equal(["Late", "Grace", "Ada"], await member.NamesAsync());
        var ada = (await member.GetAsync("/api/contacts/c-1")).Is(200).Json;
        Assert.Equal(
            ("ada@example.org", "Analytical", "first", "agent-1", "2025-01-01T00:00:00Z"),
            (ada.GetProperty("email").GetString(), ada.GetProperty("company").GetString(), ada.GetProperty("notes").GetString(), ada.GetProperty("agentId").GetString(), ada.GetProperty("createdAt").GetString()));
        Assert.Contains("no head names a replica", silo.Process.Output, StringComparison.Ordinal);

        // From here on it is an organization like any other: written to, put away, woken.
        (await member.PostAsync("/api/contacts", """{"name":"Twice","email":"ADA@example.org"}""")).Refuses(409, "contact_exists");
        (await member.AddContactAsync("New", "replicated")).Is(201);
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("acme");
        Assert.Equal(["New", "Late", "Grace", "Ada"], (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name));
        Assert.Equal(["New", "Late", "Grace", "Ada"], await member.NamesAsync());
        Assert.Equal(2, (await silo.Bucket.HeadAsync("acme"))!.Value.GetProperty("epoch").GetInt64());

        // What only the older system knew is kept, and its replica was not touched.
        Assert.Equal("vip", Execute(machine["by-hand.db"], "SELECT tags FROM contacts_before_silo WHERE id = 'c-1'"));
        Assert.Equal("3", Execute(await RestoreOldAsync(machine, silo), "SELECT count(*) FROM contacts"));
        Assert.DoesNotContain("updatedAt\":null", page.Text, StringComparison.Ordinal);
    }

    private const string Replica = "gcs://silo/litestream-replicas/acme";

    /// <summary>What the older system did: one Litestream on its defaults, stopped in order.</summary>
    private static async Task ReplicateAsync(Machine machine, StandaloneHost silo)
    {
        var file = machine["older.db"];
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        Execute(connection, $"PRAGMA journal_mode = WAL; {Contacts}");
        await using (var litestream = Litestream(silo, "replicate", file, Replica))
        {
            await Eventually.IsAsync(() => litestream.Errors.Contains("wal segment written", StringComparison.Ordinal), "the older system replicates");
            Execute(connection, "INSERT INTO contacts (id, name, created_at, updated_at) VALUES ('c-3', 'Late', '2025-03-01T00:00:00Z', '2025-03-01T00:00:00Z')");
            Assert.Equal(0, await litestream.TerminateAsync());
        }
        Assert.Null(await silo.Bucket.HeadAsync("acme"));
    }

    private static async Task<string> RestoreOldAsync(Machine machine, StandaloneHost silo)
    {
        var file = machine["old-again.db"];
        await using var litestream = Litestream(silo, "restore", "-o", file, Replica);
        Assert.Equal(0, await litestream.ExitAsync());
        return file;
    }

    private static HostProcess Litestream(StandaloneHost silo, params string[] arguments) => HostProcess.Start(
        [HostProcess.Program("litestream/litestream"), .. arguments], null, ("STORAGE_EMULATOR_HOST", new Uri(silo.Ready.BucketUrl!).Authority));

    private static string? Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return Execute(connection, sql);
    }

    private static string? Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar()?.ToString();
    }
}
