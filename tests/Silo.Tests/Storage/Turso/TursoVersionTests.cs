using Microsoft.AspNetCore.Http;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

/// <summary>A server that knows version 2 only: the real one behind a door that lets nothing else through.</summary>
public sealed class TursoVersionTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private readonly TursoBench _bench = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private readonly List<string> _asked = [];

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _bench.DisposeAsync();
    }

    [Fact]
    public async Task OlderServer_AtTheFirstRequest_IsFoundOutOnceAndSpokenTo()
    {
        var database = await OlderAsync("two");
        await database.ExecuteAsync(new TursoStatement("CREATE TABLE t (a INTEGER PRIMARY KEY)"), Cancellation);
        await database.ExecuteAllAsync([new TursoStatement("INSERT INTO t VALUES (1)"), new TursoStatement("INSERT INTO t VALUES (?)", 2)], Cancellation);
        Assert.Equal("POST /v3/pipeline 404,GET /v3 404,GET /v2 200,POST /v2/pipeline 200,POST /v2/pipeline 200", string.Join(',', _asked));
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(new TursoStatement("INSERT INTO t VALUES (3)"), Cancellation);
        Assert.Equal(3, (await TursoBench.AllAsync(await transaction.OpenCursorAsync(new TursoStatement("SELECT * FROM t"), Cancellation))).Count);
        await transaction.CommitAsync(Cancellation);
        Assert.Equal([1, 2, 3], (await TursoBench.AllAsync(await database.OpenCursorAsync(new TursoStatement("SELECT * FROM t"), Cancellation))).Select(row => row[0].AsInteger()));
        Assert.DoesNotContain(_asked.Skip(2), request => request.Contains("/v3", StringComparison.Ordinal));
    }

    [Fact]
    public async Task OlderServer_AskedForACursorFirst_AnswersAtOnceAndWithinBounds()
    {
        var database = await OlderAsync("cursor", options => options.MaxRows = 3);
        Assert.Equal(3, (await TursoBench.AllAsync(await database.OpenCursorAsync(new TursoStatement("SELECT value FROM generate_series(1, 3)"), Cancellation))).Count);
        Assert.Equal("POST /v3/cursor 404,GET /v3 404,GET /v2 200,POST /v2/pipeline 200,POST /v2/pipeline 200", string.Join(',', _asked));
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.OpenCursorAsync(new TursoStatement("SELECT value FROM generate_series(1, 4)"), Cancellation));
        Assert.Equal(TursoFailure.TooLarge, failure.Failure);
    }

    [Fact]
    public async Task Condition_ThatOnlyVersion3Knows_IsRefusedByVersion2()
    {
        var database = await OlderAsync("condition");
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.BatchAsync([new(new TursoStatement("SELECT 1"), TursoCondition.IsAutocommit)], Cancellation));
        Assert.Equal(TursoFailure.Refused, failure.Failure);
        Assert.Contains("hrana3", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Database_ThatIsNotThere_IsNotTakenForAnOlderServer()
    {
        var failure = await Assert.ThrowsAsync<TursoException>(() => _bench.Open(fixture.Sqld.UrlOf("missing")).ExecuteAsync(new TursoStatement("SELECT 1"), Cancellation));
        Assert.Equal(TursoFailure.NotFound, failure.Failure);
        Assert.Contains("doesn't exist", failure.Message, StringComparison.Ordinal);
        Assert.False(failure.MayHaveExecuted);
    }

    [Fact]
    public async Task Databases_OfOneServer_DoNotSeeEachOther()
    {
        var (one, other) = (await _bench.CreateAsync(fixture.Sqld), await _bench.CreateAsync(fixture.Sqld));
        await one.ExecuteScriptAsync("CREATE TABLE t (a); INSERT INTO t VALUES ('one')", Cancellation);
        Assert.Contains("no such table", (await Assert.ThrowsAsync<TursoException>(() => other.QueryAsync(new TursoStatement("SELECT * FROM t"), Cancellation))).Message, StringComparison.Ordinal);
        await other.ExecuteScriptAsync("CREATE TABLE t (a); INSERT INTO t VALUES ('other')", Cancellation);
        Assert.Equal(["one"], (await one.QueryAsync(new TursoStatement("SELECT a FROM t"), Cancellation)).Rows.Single());
        Assert.Equal(["other"], (await TursoBench.AllAsync(await other.OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation))).Single());
    }

    private async Task<TursoDatabase> OlderAsync(string name, Action<TursoOptions>? configure = null)
    {
        await fixture.Sqld.CreateAsync(name, Cancellation);
        var url = await _bench.ServeAsync(async context =>
        {
            var path = context.Request.Path.Value!;
            if (path.StartsWith("/v3", StringComparison.Ordinal))
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
            }
            else
            {
                using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), $"http://127.0.0.1:{fixture.Sqld.DefaultUrl.Port}{path}") { Headers = { Host = $"{name}.localhost" } };
                if (context.Request.Method == "POST") request.Content = new StreamContent(context.Request.Body);
                using var answer = await _http.SendAsync(request, context.RequestAborted);
                context.Response.StatusCode = (int)answer.StatusCode;
                lock (_asked) _asked.Add($"{context.Request.Method} {path} {context.Response.StatusCode}");
                await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
                return;
            }
            lock (_asked) _asked.Add($"{context.Request.Method} {path} {context.Response.StatusCode}");
        });
        return _bench.Open(url, configure);
    }
}
