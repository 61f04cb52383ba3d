using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;
using Silo.Storage.Databases;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Catalog;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Databases;

/// <summary>The database of one organization on a real libSQL server, and on servers that misbehave.</summary>
public sealed class TursoOrgDatabaseTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private readonly TursoBench _bench = new();
    private readonly CatalogFixture _catalog = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _bench.DisposeAsync();
        _catalog.Dispose();
    }

    [Theory]
    [InlineData("CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT, email TEXT, created_at TEXT) WITHOUT ROWID")]
    [InlineData("CREATE TABLE contacts (name TEXT)")]
    [InlineData("CREATE TABLE contacts (rowid TEXT, _rowid_ TEXT, id TEXT UNIQUE, name TEXT)")]
    [InlineData("CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, company TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL)")]
    [InlineData("CREATE TABLE contacts (ID VARCHAR(36) PRIMARY KEY, NAME TEXT NOT NULL, EMAIL TEXT NOT NULL, PHONE TEXT NOT NULL, COMPANY TEXT NOT NULL, NOTES TEXT NOT NULL, AGENTID TEXT NOT NULL, CREATEDAT INTEGER, \"odd \"\"name\" TEXT)")]
    public async Task OlderTable_OfAnyShape_IsPagedAndWritten(string schema)
    {
        var remote = await _bench.CreateAsync(fixture.Sqld);
        await remote.ExecuteScriptAsync(schema, Token);
        await using var database = await OpenAsync(remote);
        var added = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            var id = Guid.CreateVersion7().ToString();
            var contact = (await database.CreateAsync(id, new ContactFields($"n-{i}", i % 2 == 0 ? $"{i}@x.test" : null, i % 2 == 0 ? null : $"{i}"), Token)).Contact;
            // Sent again, it is the same.
            Assert.Equal(id, JsonDocument.Parse((await database.CreateAsync(id, new ContactFields("other"), Token)).Contact.Utf8!).RootElement.GetProperty("id").GetString());
            Assert.Equal(Text(contact), Text(await database.GetAsync(id, Token)).Replace($"\"company\":\"N-{i}\"", "\"company\":null", StringComparison.Ordinal));
            added.Add(id);
        }
        var seen = new List<string>();
        for (string? cursor = null; ;)
        {
            var page = JsonDocument.Parse((await database.ListAsync(new ContactListQuery(3, cursor, null), Token)).Utf8!).RootElement;
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()!));
            cursor = page.GetProperty("nextCursor").GetString();
            if (cursor is null) break;
        }
        Assert.Equal(added.AsEnumerable().Reverse(), seen);
        Assert.Contains("n-3", Text(await database.ListAsync(new ContactListQuery(1, null, "N-3"), Token)), StringComparison.Ordinal);
        await RefusesAsync(OrganizationErrorCode.ContactExists, () => database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("x", "2@X.TEST"), Token));
        await RefusesAsync(OrganizationErrorCode.ContactExists, () => database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("x", null, " 3 "), Token));
        await RefusesAsync(OrganizationErrorCode.ContactExists, () => database.ReplaceAsync(added[0], new ContactFields("x", null, "(5)"), Token));
        Assert.Contains("renamed", Text((await database.ReplaceAsync(added[1], new ContactFields("renamed", null, "1"), Token)).Contact), StringComparison.Ordinal);
        await database.DeleteAsync(added[0], false, Token);
        await database.DeleteAsync(added[0], true, Token);
        await RefusesAsync(OrganizationErrorCode.ContactNotFound, () => database.DeleteAsync(added[0], false, Token));
        Assert.Equal("{\"count\":6}", Text(await database.CountAsync(Token)));
        await RefusesAsync(OrganizationErrorCode.InvalidRequest, () => database.ListAsync(new ContactListQuery(1, "x1", null), Token).AsTask());
    }

    [Fact]
    public async Task OlderTable_ThatNeedsAnUnknownValue_IsReadAndChangedButNotAddedTo()
    {
        var remote = await _bench.CreateAsync(fixture.Sqld);
        await remote.ExecuteScriptAsync("CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT, secret_code TEXT NOT NULL); INSERT INTO contacts VALUES ('a', 'Ada', 's')", Token);
        await using var database = await OpenAsync(remote);
        await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.CreateAsync("b", new ContactFields("x"), Token));
        Assert.Contains("Ada L", Text((await database.ReplaceAsync("a", new ContactFields("Ada L"), Token)).Contact), StringComparison.Ordinal);
        await database.DeleteAsync("a", false, Token);
    }

    [Fact]
    public async Task SameKeys_SentAtOnceByTwoClusters_MakeOneContact()
    {
        var remote = await _bench.CreateAsync(fixture.Sqld);
        await remote.ExecuteScriptAsync("CREATE TABLE contacts (id TEXT, name TEXT, email TEXT, phone TEXT)", Token);
        await using var one = await OpenAsync(remote);
        await using var two = await OpenAsync(remote, migrate: false);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            try
            {
                await (i % 2 == 0 ? one : two).CreateAsync(Guid.CreateVersion7().ToString(), i < 30 ? new ContactFields("x", "One@x.test") : new ContactFields("x", null, "+49 1"), Token);
                return "added";
            }
            catch (OrganizationException e) when (e.Code == OrganizationErrorCode.ContactExists)
            {
                return "exists";
            }
        }));
        Assert.Equal(2, outcomes.Count(outcome => outcome == "added"));
        Assert.Equal("{\"count\":2}", Text(await one.CountAsync(Token)));
    }

    [Fact]
    public async Task Page_LargerThanOneAnswerOfTheServer_IsWhole()
    {
        var remote = await _bench.CreateAsync(fixture.Sqld, options => options.MaxAnswerBytes = 200_000);
        await using var database = await OpenAsync(remote);
        for (var i = 0; i < 60; i++) await database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields($"n-{i}", Notes: new string('x', 9_000)), Token);
        var page = JsonDocument.Parse((await database.ListAsync(new ContactListQuery(50, null, null), Token)).Utf8!).RootElement;
        Assert.Equal(Enumerable.Range(10, 50).Reverse().Select(i => $"n-{i}"), page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("name").GetString()));
        page = JsonDocument.Parse((await database.ListAsync(new ContactListQuery(50, page.GetProperty("nextCursor").GetString(), null), Token)).Utf8!).RootElement;
        Assert.Equal((10, JsonValueKind.Null), (page.GetProperty("items").GetArrayLength(), page.GetProperty("nextCursor").ValueKind));
    }

    [Theory]
    [InlineData(401, 30, false)]
    [InlineData(404, 30, false)]
    [InlineData(429, 1, false)]
    [InlineData(500, 1, true)]
    [InlineData(502, 1, true)]
    public async Task Server_ThatRefuses_IsUnavailableAndSaysWhatBecameOfAWrite(int status, int retryAfter, bool mayHaveHappened)
    {
        var isRefusing = false;
        var url = await ProxyAsync(context => isRefusing ? Task.FromResult(Answer(context, status)) : Task.FromResult(false));
        await using var database = await OpenAsync(url);
        await database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("Ada"), Token);
        isRefusing = true;
        var refusal = await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("Bo"), Token));
        Assert.Equal((TimeSpan.FromSeconds(retryAfter), mayHaveHappened), (refusal.RetryAfter, refusal.MayHaveHappened));
        refusal = await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.CountAsync(Token).AsTask());
        Assert.False(refusal.MayHaveHappened);
        Assert.NotNull(refusal.RetryAfter);
        isRefusing = false;
        Assert.Equal("{\"count\":1}", Text(await database.CountAsync(Token)));
    }

    [Fact]
    public async Task Write_WhoseAnswerIsLost_MayHaveHappenedAndIsTheSameWhenRepeated()
    {
        var isLosing = false;
        var url = await ProxyAsync(context => Task.FromResult(false), context => isLosing && TursoBench.Abort(context));
        await using var database = await OpenAsync(url);
        await database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("First"), Token);
        var id = Guid.CreateVersion7().ToString();
        isLosing = true;
        Assert.True((await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.CreateAsync(id, new ContactFields("Ada", "ada@x.test"), Token))).MayHaveHappened);
        isLosing = false;
        Assert.Contains(id, Text((await database.CreateAsync(id, new ContactFields("Ada", "ada@x.test"), Token)).Contact), StringComparison.Ordinal);
        Assert.Equal("{\"count\":2}", Text(await database.CountAsync(Token)));

        isLosing = true;
        Assert.True((await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.DeleteAsync(id, false, Token))).MayHaveHappened);
        isLosing = false;
        await database.DeleteAsync(id, isRepeated: true, Token);
        Assert.Equal("{\"count\":1}", Text(await database.CountAsync(Token)));
    }

    [Fact]
    public async Task Server_ThatIsSlow_IsGivenUpInItsTime()
    {
        var isSlow = false;
        var url = await ProxyAsync(async context =>
        {
            if (isSlow) await new TaskCompletionSource().Task.WaitAsync(context.RequestAborted);
            return false;
        });
        await using var database = await OpenAsync(url, options => (options.RequestTimeout, options.TotalTimeout) = (TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(500)));
        isSlow = true;
        await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.CountAsync(Token).AsTask());
        Assert.True((await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.DeleteAsync("x", false, Token))) is { RetryAfter: not null });
    }

    [Fact]
    public async Task Flush_AfterTheFlagIsSet_ProvesThatNoWriteIsUnderWay()
    {
        var arrived = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        var isHolding = false;
        var url = await ProxyAsync(async context =>
        {
            if (!isHolding) return false;
            arrived.TrySetResult();
            await goOn.Task;
            return false;
        });
        await using var database = await OpenAsync(url);
        await database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("First"), Token);
        isHolding = true;
        var write = database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("Ada"), Token);
        await arrived.Task;
        _catalog.Sql("UPDATE organizations SET is_db_provisioning = 1");
        var flushed = database.FlushAsync(Token);
        Assert.False(database.IsFlushed);
        Assert.False(flushed.IsCompleted);
        goOn.SetResult();
        await flushed;
        Assert.True(write.IsCompleted);
        // Whoever has set the flag may not have waited for it.
        Assert.True((await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => write)).MayHaveHappened);
        await RefusesAsync(OrganizationErrorCode.DatabaseProvisioning, () => database.CreateAsync(Guid.CreateVersion7().ToString(), new ContactFields("Bo"), Token));
        Assert.Equal("{\"count\":2}", Text(await database.CountAsync(Token)));
    }

    [Fact]
    public async Task Write_AfterWhichTheCatalogCannotBeAsked_IsNotConfirmed()
    {
        var isLeaving = false;
        var url = await ProxyAsync(_ => Task.FromResult(false), context =>
        {
            if (isLeaving) _catalog.Sql("ALTER TABLE organizations RENAME TO away");
            return false;
        });
        await using var database = await OpenAsync(url);
        isLeaving = true;
        Assert.True((await RefusesAsync(OrganizationErrorCode.DatabaseUnavailable, () => database.DeleteAsync("x", isRepeated: true, Token))).MayHaveHappened);
    }

    private static bool Answer(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return true;
    }

    private async Task<Uri> ProxyAsync(Func<HttpContext, Task<bool>> before, Func<HttpContext, bool>? after = null) =>
        await _bench.ProxyAsync(await _bench.CreateAsync(fixture.Sqld), before, after);

    private Task<TursoOrgDatabase> OpenAsync(Uri url, Action<TursoOptions>? configure = null) => OpenAsync(_bench.Open(url, configure));

    private async Task<TursoOrgDatabase> OpenAsync(TursoDatabase remote, bool migrate = true)
    {
        var catalog = migrate ? await _catalog.OpenMigratedAsync() : _catalog.Open();
        if (migrate) await catalog.AddAsync(new NewOrganization(remote.Organization, "Acme", OrganizationDbType.Turso, remote.Address.ToString(), null), Token);
        var row = (await catalog.FindAsync(remote.Organization, Token))!;
        var database = new TursoOrgDatabase(remote, new CatalogWatch(row, catalog, TimeProvider.System), null!, new DatabaseOptions(), TimeProvider.System, NullLogger.Instance);
        await database.LookAsync(Token);
        return database;
    }

    private static async Task<OrganizationException> RefusesAsync(OrganizationErrorCode code, Func<Task> call)
    {
        var refusal = await Assert.ThrowsAsync<OrganizationException>(call);
        Assert.Equal(code, refusal.Code);
        return refusal;
    }

    private static string Text(JsonBytes json) => Encoding.UTF8.GetString(json.Utf8!);
}
