using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;

namespace Silo.SystemTests;

/// <summary>
/// Organizations on a real libSQL server beside one in SQLite: whoever calls cannot tell them apart, whatever table the older system made.
/// </summary>
public sealed partial class TursoOrganizationTests : IAsyncLifetime
{
    private const string Legacy = """
        CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, company TEXT, notes TEXT, agentId TEXT, tags TEXT DEFAULT 'new',
          organization_id TEXT NOT NULL, createdAt DATETIME DEFAULT CURRENT_TIMESTAMP, updatedAt DATETIME)
        """;

    private const string Bare = "CREATE TABLE contacts (id TEXT, full_name TEXT, email TEXT NOT NULL DEFAULT '', phone_number TEXT)";

    private TursoServer _turso = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _turso = await TursoServer.StartAsync();

    public ValueTask DisposeAsync() => _turso.DisposeAsync();

    [Fact]
    public async Task Calls_OfOrganizationsOnTurso_AreAnsweredAsThoseInSqlite()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine);
        await silo.Operator.CreateOrganizationAsync("lite");
        await CreateAsync(silo, "empty", null);
        await CreateAsync(silo, "legacy", Legacy);
        await CreateAsync(silo, "bare", Bare);

        var expected = await PlayAsync(silo.Member("lite"));
        foreach (var organization in (string[])["empty", "legacy", "bare"])
        {
            var answers = await PlayAsync(silo.Member(organization));
            for (var i = 0; i < expected.Count; i++) Assert.Equal((organization, i, expected[i]), (organization, i, answers[i]));
        }

        // What only the older system knows is as it was, and so are its columns.
        Assert.Equal(["new", "legacy"], (await _turso.SqlAsync("legacy", "SELECT DISTINCT tags, organization_id FROM contacts"))[0]);
        var columns = (await _turso.SqlAsync("legacy", "SELECT name FROM pragma_table_info('contacts')")).Select(row => row[0]);
        Assert.Equal(["id", "name", "email", "phone", "company", "notes", "agentId", "tags", "organization_id", "createdAt", "updatedAt"], columns);
        columns = (await _turso.SqlAsync("bare", "SELECT name FROM pragma_table_info('contacts')")).Select(row => row[0]);
        Assert.Equal(["id", "full_name", "email", "phone_number", "created_at", "updated_at", "company", "notes", "agent_id"], columns.Order(StringComparer.Ordinal).OrderBy(name => Array.IndexOf(["id", "full_name", "email", "phone_number", "created_at", "updated_at", "company", "notes", "agent_id"], name)));

        var status = (await silo.Operator.DatabaseAsync("legacy"))!.Value;
        Assert.Equal(("turso", JsonValueKind.Null, _turso.UrlOf("legacy").ToString().TrimEnd('/')),
            (status.GetProperty("dbType").GetString(), status.GetProperty("epoch").ValueKind, status.GetProperty("tursoUrl").GetString()));
        Assert.Equal("sqlite", (await silo.Operator.DatabaseAsync("lite"))!.Value.GetProperty("dbType").GetString());
        Assert.Null(await silo.Bucket.HeadAsync("legacy"));
        Assert.False(Directory.Exists(Path.Combine(machine.Databases, "legacy")));
        Assert.DoesNotContain(_turso.Token, silo.Process.Output + silo.Process.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Contacts_OfTheOlderSystem_ReadWithoutAnyChangeAndKeepTheRules()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine);
        await CreateAsync(silo, "old", """
            CREATE TABLE contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, displayName TEXT, email_address TEXT, mobile, created_at INTEGER, extra BLOB);
            INSERT INTO contacts (displayName, email_address, mobile, created_at) VALUES ('Ada', 'ADA@x.test', NULL, 1700000000), ('Örn', 'ÖRN@x.test', NULL, 1700000001000),
              (NULL, '', '+1 (555) 010', NULL), ('Bo', NULL, 5550111, 1700000003);
            """);
        var old = silo.Member("old");
        var before = await SchemaAsync("old");
        var page = (await old.GetAsync("/api/contacts?limit=3")).Is(200).Json;
        Assert.Equal(
            ["4|Bo||5550111|2023-11-14T22:13:23.000Z", "3|||+1 (555) 010|1970-01-01T00:00:00.000Z", "2|Örn|ÖRN@x.test||2023-11-14T22:13:21.000Z"],
            page.GetProperty("items").EnumerateArray().Select(item => string.Join('|', ((string[])["id", "name", "email", "phone", "createdAt"]).Select(name => item.GetProperty(name).GetString()))));
        page = (await old.GetAsync($"/api/contacts?limit=3&cursor={page.GetProperty("nextCursor").GetString()}")).Is(200).Json;
        Assert.Equal("1", Assert.Single(page.GetProperty("items").EnumerateArray()).GetProperty("id").GetString());
        Assert.Equal(JsonValueKind.Null, page.GetProperty("nextCursor").ValueKind);
        Assert.Equal("Örn", (await old.GetAsync("/api/contacts/2")).Is(200).Json.GetProperty("name").GetString());
        Assert.Equal(before, await SchemaAsync("old")); // reading changes nothing there

        (await old.PostAsync("/api/contacts", """{"name":"x","email":"ada@X.test"}""")).Refuses(409, "contact_exists");
        (await old.PostAsync("/api/contacts", """{"name":"x","email":"örn@x.test"}""")).Refuses(409, "contact_exists");
        (await old.PostAsync("/api/contacts", """{"name":"x","phone":"+1555010"}""")).Refuses(409, "contact_exists");
        (await old.PostAsync("/api/contacts", """{"name":"x","phone":"555 01 11"}""")).Refuses(409, "contact_exists");
        (await old.PutAsync("/api/contacts/2", """{"name":"x","email":"ada@x.test"}""")).Refuses(409, "contact_exists");
        (await old.PutAsync("/api/contacts/9", """{"name":"x"}""")).Refuses(404, "contact_not_found");
        var added = (await old.PostAsync("/api/contacts", """{"name":"New","email":"new@x.test","phone":"+1555010"}""")).Is(201);
        Assert.Equal(added.Text, (await old.GetAsync($"/api/contacts/{added.Id}")).Is(200).Text);
        Assert.Equal("replicated", added.Durability);
        var put = (await old.PutAsync("/api/contacts/1", """{"name":"Ada L.","email":"ada@x.test"}""")).Is(200);
        Assert.Equal(("1", "2023-11-14T22:13:20.000Z"), (put.Id, put.Json.GetProperty("createdAt").GetString()));
        (await old.DeleteAsync("/api/contacts/4")).Is(204);
        (await old.DeleteAsync($"/api/contacts/{added.Id}")).Is(204);
        Assert.Equal(["", "Örn", "Ada L."], await old.NamesAsync());
    }

    [Fact]
    public async Task Organization_WithASecretOfItsOwn_IsReachedWithThat()
    {
        await using var machine = new Machine();
        var secrets = Directory.CreateDirectory(machine["secrets"]).FullName;
        await File.WriteAllTextAsync(Path.Combine(secrets, "acme.jwt"), _turso.Token + "\n", Cancellation);
        var silo = await machine.StartStandaloneAsync("--Turso:AuthToken=of-nobody", $"--Turso:SecretsDirectory={secrets}");
        var url = await _turso.CreateAsync("acme");
        Task<Answer> Create(string id, string? secret) => silo.Operator.PostAsync("/api/admin/organizations", JsonSerializer.Serialize(new { id, name = id, dbType = "turso", tursoUrl = url, tursoSecret = secret }));
        Assert.Equal("acme.jwt", (await Create("acme", "acme.jwt")).Is(201).Json.GetProperty("tursoSecret").GetString());
        (await Create("common", null)).Is(201);
        (await Create("outside", "../acme.jwt")).Refuses(422, "validation_failed");
        (await silo.Member("acme").AddContactAsync("Ada")).Is(201);
        (await silo.Member("common").AddContactAsync("Ada")).Refuses(503, "database_unavailable");
        Assert.DoesNotContain(_turso.Token, silo.Process.Output + silo.Process.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_DownAndUpAgain_IsTold()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine);
        await CreateAsync(silo, "acme", Legacy);
        var acme = silo.Member("acme");
        (await acme.AddContactAsync("Ada")).Is(201);
        await _turso.KillAsync();
        (await acme.GetAsync("/api/contacts/count")).Refuses(503, "database_unavailable");
        (await acme.AddContactAsync("Bo")).Refuses(503, "database_unavailable");
        await _turso.RestartAsync();
        Assert.Equal(1, await acme.CountAsync());
        (await acme.AddContactAsync("Bo")).Is(201);
    }

    [Fact]
    public async Task Catalog_SaysThatItIsMigratedOrMoved_AndTheDatabaseNotices()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine);
        await CreateAsync(silo, "acme", Legacy);
        var acme = silo.Member("acme");
        var ada = (await acme.AddContactAsync("Ada")).Is(201);

        Catalog(machine, "UPDATE organizations SET is_db_provisioning = 1 WHERE id = 'acme'");
        foreach (var refused in (Answer[])
            [await acme.AddContactAsync("Bo"), await acme.PutAsync($"/api/contacts/{ada.Id}", """{"name":"x"}"""), await acme.DeleteAsync($"/api/contacts/{ada.Id}")])
            refused.Refuses(503, "database_provisioning");
        Assert.Equal(["Ada"], await acme.NamesAsync());
        Catalog(machine, "UPDATE organizations SET is_db_provisioning = 0 WHERE id = 'acme'");
        (await acme.AddContactAsync("Bo")).Is(201);

        // Moved behind its back: the activation that has it open serves nothing of the old place any more.
        Catalog(machine, "UPDATE organizations SET db_type = 'sqlite', gcs_bucket_name = 'silo', gcs_replica_path = 'litestream-replicas/acme' WHERE id = 'acme'");
        (await acme.AddContactAsync("Cy")).Is(201);
        Assert.Equal(["Cy"], await acme.NamesAsync());
        Assert.Equal("2", (await _turso.SqlAsync("acme", "SELECT count(*) FROM contacts"))[0][0]);
    }

    [Fact]
    public async Task Import_IntoTurso_ComesInOnceAndSaysInHowManyTransactions()
    {
        await using var machine = new Machine();
        var silo = await StartAsync(machine, "--Imports:TursoRows=1000");
        await CreateAsync(silo, "empty", null);
        await CreateAsync(silo, "legacy", Legacy);
        await CreateAsync(silo, "old", "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT)");
        foreach (var organization in (string[])["empty", "legacy", "old"])
        {
            var member = silo.Member(organization);
            (await member.PostAsync("/api/contacts", """{"name":"There","email":"Person-7@example.org","phone":"7"}""")).Is(201);
            (await member.PostAsync("/api/contacts", """{"name":"By phone","phone":"+49 1"}""")).Is(201);
            var key = Guid.NewGuid();
            var file = "name,email,phone,company\nNo mail,,+491,X\n" + string.Concat(Enumerable.Range(0, 2_500).Select(i => string.Create(CultureInfo.InvariantCulture, $"Person {i},person-{i}@example.org,,Company\n")));
            var done = await ImportAsync(member, file, key, "?overwriteExisting=true");
            Assert.Equal(
                (organization, "completed", true, 2_499, 2, 0, 3),
                (organization, done.GetProperty("state").GetString(), done.GetProperty("durable").GetBoolean(), done.GetProperty("imported").GetInt32(), done.GetProperty("updated").GetInt32(), done.GetProperty("skipped").GetInt32(), done.GetProperty("transactions").GetInt32()));
            Assert.Equal(2_501, await member.CountAsync());
            Assert.Equal(2_501, (await member.NamesAsync()).Count);
            var person = (await member.GetAsync("/api/contacts?search=person-7@&limit=1")).Is(200).Json.GetProperty("items")[0];
            Assert.Equal(("Person 7", "Company"), (person.GetProperty("name").GetString(), person.GetProperty("company").GetString()));

            Assert.Equal(done.GetProperty("imported").GetInt32(), (await ImportAsync(member, "name\nEve\n", key)).GetProperty("imported").GetInt32());
            var small = await ImportAsync(member, "name,email\nAgain,PERSON-8@example.org\nNew,new@example.org\n", Guid.NewGuid());
            Assert.Equal((1, 1, 1), (small.GetProperty("imported").GetInt32(), small.GetProperty("skipped").GetInt32(), small.GetProperty("transactions").GetInt32()));
            Assert.Equal("0", (await _turso.SqlAsync(organization, "SELECT count(*) FROM silo_import_chunks"))[0][0]);
            Assert.Equal(2, (await member.GetAsync("/api/audit")).Is(200).Json.GetProperty("items").GetArrayLength());
            Assert.Equal("released", await silo.Bucket.StateAsync(organization));
        }
    }

    /// <summary>Every call about contacts, and how it was answered: with the ids and times replaced by their place.</summary>
    private static async Task<List<string>> PlayAsync(Client member)
    {
        var answers = new List<string>();
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        async Task<Answer> Note(Task<Answer> call)
        {
            var answer = await call;
            var text = Id().Replace(answer.Text, match => ids.TryGetValue(match.Value, out var name) ? name : ids[match.Value] = $"id-{ids.Count}");
            text = Time().Replace(Trace().Replace(text, "trace"), "time");
            var location = answer.Location is { } at ? Id().Replace(at, match => ids[match.Value]) : null;
            answers.Add($"{answer.Status} {answer.ContentType} {answer.RetryAfter} {location} {text}");
            if (answer.Status is 201 or 200 && answer.Durability is not null) Assert.Contains(answer.Durability, (string[])["local", "replicated"]);
            return answer;
        }

        await Note(member.GetAsync("/api/contacts"));
        await Note(member.GetAsync("/api/contacts/count"));
        await Note(member.GetAsync("/api/audit"));
        await Note(member.DeleteAsync($"/api/contacts/{Guid.NewGuid()}"));
        var ada = await Note(member.PostAsync("/api/contacts", """{"name":"Ada 😀 \"q\" \\ \u2028 \u007f \t","email":"Ada@example.org","phone":"+49 (30) 1","company":"C","notes":"é\n","agentId":"a-1"}"""));
        await Note(member.GetAsync($"/api/contacts/{ada.Id}"));
        await Note(member.PostAsync("/api/contacts", """{"name":"Twice","email":"aDA@EXAMPLE.org"}"""));
        await Note(member.PostAsync("/api/contacts", """{"name":"Bo","phone":"030 / 22"}"""));
        await Note(member.PostAsync("/api/contacts", """{"name":"Bo again","phone":"(030)22"}"""));
        var cy = await Note(member.PostAsync("/api/contacts", """{"name":"Cy","email":"cy@example.org","phone":"03022"}"""));
        await Note(member.PostAsync("/api/contacts", """{"name":""}"""));
        await Note(member.PostAsync("/api/contacts", """{"name":"x","email":"nowhere"}"""));
        await Note(member.PostAsync("/api/contacts", """{"name":"Öl","email":"ÖL@example.org","company":"100% _x_"}"""));
        await Note(member.PostAsync("/api/contacts", """{"name":"Öl","email":"öl@example.org"}"""));
        await Note(member.PutAsync($"/api/contacts/{cy.Id}", """{"name":"Cy 2","email":"ADA@example.org"}"""));
        await Note(member.PutAsync($"/api/contacts/{cy.Id}", """{"name":"Cy 2","phone":"030-22"}"""));
        await Note(member.PutAsync($"/api/contacts/{cy.Id}", """{"name":"Cy 2","email":"CY@example.org","notes":"n"}"""));
        await Note(member.PutAsync($"/api/contacts/{Guid.NewGuid()}", """{"name":"Nobody"}"""));
        await Note(member.GetAsync($"/api/contacts/{Guid.NewGuid()}"));
        var first = await Note(member.GetAsync("/api/contacts?limit=2"));
        await Note(member.GetAsync($"/api/contacts?limit=2&cursor={first.Json.GetProperty("nextCursor").GetString()}"));
        await Note(member.GetAsync("/api/contacts?cursor=nonsense"));
        foreach (var search in (string[])["ada", "EXAMPLE", "030", "100%25", "_x", "nothing", "c"]) await Note(member.GetAsync($"/api/contacts?limit=1&search={search}"));
        await Note(member.DeleteAsync($"/api/contacts/{ada.Id}"));
        await Note(member.DeleteAsync($"/api/contacts/{ada.Id}"));
        await Note(member.PostAsync("/api/contacts", """{"name":"Ada is back","email":"ada@example.org"}""", "replicated"));
        await Note(member.GetAsync("/api/contacts"));
        await Note(member.GetAsync("/api/contacts/count"));
        return answers;
    }

    private Task<StandaloneHost> StartAsync(Machine machine, params string[] settings) => machine.StartStandaloneAsync([$"--Turso:AuthToken={_turso.Token}", .. settings]);

    private Task<Uri> CreateAsync(StandaloneHost silo, string organization, string? schema) =>
        _turso.AddAsync(silo, organization, schema?.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? []);

    private async Task<string> SchemaAsync(string organization) => string.Join('\n', (await _turso.SqlAsync(organization, "SELECT sql FROM sqlite_schema ORDER BY name")).Select(row => row[0]));

    private static void Catalog(Machine machine, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(machine.Data, "catalog.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        Assert.Equal(1, command.ExecuteNonQuery());
    }

    private static async Task<JsonElement> ImportAsync(Client member, string csv, Guid key, string query = "") => (await member.SendAsync(
        HttpMethod.Post, "/api/contacts/bulk-import" + query, new StringContent(csv, Encoding.UTF8, "text/csv"), request =>
        {
            request.Headers.Add("Idempotency-Key", key.ToString());
            request.Headers.Add("Prefer", "wait=50");
        })).Is(200).Json;

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Id();

    [GeneratedRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z")]
    private static partial Regex Time();

    [GeneratedRegex("\"traceId\":\"[0-9a-f]{32}\"")]
    private static partial Regex Trace();
}
