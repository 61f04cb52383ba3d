using Microsoft.AspNetCore.Http;
using Silo.LibSql;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

public sealed class TursoTokenTests : IAsyncLifetime
{
    private const string Token = "eyJhbGciOiJFZERTQSJ9.c2VjcmV0.c2lnbmF0dXJl-secret";

    private static readonly TursoStatement One = new("SELECT 1");

    private readonly TursoBench _bench = new();
    private readonly TestFolder _secrets = new();
    private Sqld? _sqld;
    private Uri? _url;

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public async ValueTask InitializeAsync()
    {
        _sqld = await Sqld.StartAsync(authenticated: true, Cancellation);
        _url = await _sqld.CreateAsync("acme", Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _bench.DisposeAsync();
        if (_sqld is not null) await _sqld.DisposeAsync();
        _secrets.Dispose();
    }

    [Fact]
    public async Task Token_ThatIsRight_OpensEveryKindOfRequest()
    {
        var database = _bench.Open(_url!, options => options.AuthToken = _sqld!.Tokens!.Make("acme"));
        await database.ExecuteScriptAsync("CREATE TABLE t (a)", Cancellation);
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(new TursoStatement("INSERT INTO t VALUES (1)"), Cancellation);
        Assert.Single(await TursoBench.AllAsync(await transaction.OpenCursorAsync(new TursoStatement("SELECT * FROM t"), Cancellation)));
        await transaction.CommitAsync(Cancellation);
    }

    [Fact]
    public async Task Token_MissingWrongForeignOrExpired_IsTold()
    {
        var other = await _sqld!.CreateAsync("other", Cancellation);
        await RefusedAsync(_url!, null);
        await RefusedAsync(_url!, new SqldTokens().Make("acme"));
        await RefusedAsync(_url!, Token);
        await RefusedAsync(_url!, _sqld.Tokens!.Make("acme", expires: DateTimeOffset.UnixEpoch));
        // Who may not see a database is told that there is none.
        Assert.Equal(TursoFailure.NotFound, (await Assert.ThrowsAsync<TursoException>(() => _bench.Open(other, options => options.AuthToken = _sqld.Tokens.Make("acme")).QueryAsync(One, Cancellation))).Failure);
        Assert.Single((await _bench.Open(other, options => options.AuthToken = _sqld.Tokens.Make("other")).QueryAsync(One, Cancellation)).Rows);

        async Task RefusedAsync(Uri url, string? token)
        {
            var database = _bench.Open(url, options => options.AuthToken = token);
            foreach (var request in (Func<Task>[])[() => database.ExecuteAsync(One, Cancellation), () => database.OpenCursorAsync(One, Cancellation)])
            {
                var refused = await Assert.ThrowsAsync<TursoException>(request);
                Assert.Equal((TursoFailure.Unauthorized, false, false), (refused.Failure, refused.MayHaveExecuted, refused.IsTransient));
                Assert.Contains("Turso:AuthToken", refused.Message, StringComparison.Ordinal);
                if (token is not null) Assert.DoesNotContain(token, refused + _bench.Logs, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Token_ForReading_DoesNotWrite()
    {
        var database = _bench.Open(_url!, options => options.AuthToken = _sqld!.Tokens!.Make("acme", readOnly: true));
        Assert.Single((await database.QueryAsync(One, Cancellation)).Rows);
        var refused = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAsync(new TursoStatement("CREATE TABLE t (a)"), Cancellation));
        Assert.False(refused.MayHaveExecuted);
    }

    [Fact]
    public async Task Secret_OfAnOrganization_IsItsTokenAndReadAgainWhenItWasRenewed()
    {
        await File.WriteAllTextAsync(_secrets["acme-turso"], new SqldTokens().Make("acme"), Cancellation);
        var database = _bench.Open(_url!, options => (options.AuthToken, options.SecretsDirectory) = (Token, _secrets.Path), secret: "acme-turso");
        Assert.Equal(TursoFailure.Unauthorized, (await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(One, Cancellation))).Failure);
        await File.WriteAllTextAsync(_secrets["acme-turso"], _sqld!.Tokens!.Make("acme") + "\n", Cancellation);
        Assert.Single((await database.QueryAsync(One, Cancellation)).Rows);
    }

    /// <summary>The other one has read the new token by then, so to read it again tells nothing.</summary>
    [Fact]
    public async Task Secret_RenewedWhileTwoRequestsAreRefused_IsUsedByBoth()
    {
        const string Renewed = "renewed-token";
        var arrived = 0;
        var (both, renewed, repeated) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        var url = await _bench.ServeAsync(async context =>
        {
            if (context.Request.Headers.Authorization.ToString() == "Bearer " + Renewed)
            {
                await context.Response.WriteAsync(MisbehavingServer.Done, Cancellation);
                return;
            }
            var number = Interlocked.Increment(ref arrived);
            if (number == 2) both.SetResult();
            await renewed.Task.WaitAsync(Cancellation);
            if (number == 2) await repeated.Task.WaitAsync(Cancellation);
            context.Response.StatusCode = 401;
        });
        await File.WriteAllTextAsync(_secrets["rotating"], Token, Cancellation);
        var database = _bench.Open(url, options => (options.SecretsDirectory, options.RequestTimeout) = (_secrets.Path, TimeSpan.FromMinutes(5)), secret: "rotating");
        Task<TursoResult>[] requests = [database.ExecuteAsync(One, Cancellation), database.ExecuteAsync(One, Cancellation)];
        await both.Task.WaitAsync(Cancellation);
        await File.WriteAllTextAsync(_secrets["rotating"], Renewed, Cancellation);
        renewed.SetResult();
        await await Task.WhenAny(requests);
        repeated.SetResult();
        await Task.WhenAll(requests);
    }

    [Theory]
    [InlineData("missing", "no such file")]
    [InlineData("empty", "it is empty")]
    [InlineData("two-lines", "characters that no token has")]
    [InlineData("large", "too large")]
    [InlineData("../acme", "no name of a file")]
    [InlineData("..", "no name of a file")]
    [InlineData("", "no name of a file")]
    public async Task Secret_ThatCannotBeRead_IsToldWithoutARequest(string secret, string reason)
    {
        await File.WriteAllTextAsync(_secrets["empty"], " \n", Cancellation);
        await File.WriteAllTextAsync(_secrets["two-lines"], $"{Token}\n{Token}", Cancellation);
        await File.WriteAllTextAsync(_secrets["large"], new string('x', 10_000), Cancellation);
        var database = _bench.Open(_url!, options => options.SecretsDirectory = _secrets.Path, secret);
        var refused = await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(One, Cancellation));
        Assert.Equal((TursoFailure.Unauthorized, null), (refused.Failure, refused.Status));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Token, refused.ToString(), StringComparison.Ordinal);
        Assert.Contains("Turso:SecretsDirectory", (await Assert.ThrowsAsync<TursoException>(() => _bench.Open(_url!, secret: "acme").QueryAsync(One, Cancellation))).Message, StringComparison.Ordinal);
    }

    /// <summary>A server that says the token back wherever it can: in no log and no exception is it to be found.</summary>
    [Theory]
    [InlineData("unauthorized")]
    [InlineData("code")]
    [InlineData("busy")]
    [InlineData("refused")]
    [InlineData("nonsense")]
    [InlineData("broken text")]
    [InlineData("baton")]
    [InlineData("base url")]
    [InlineData("header")]
    [InlineData("status line")]
    [InlineData("cursor")]
    [InlineData("cut")]
    public async Task Token_WhateverTheServerDoesWithIt_IsNeverShown(string how)
    {
        var url = await _bench.ServeAsync(async context =>
        {
            var response = context.Response;
            Assert.Equal("Bearer " + Token, context.Request.Headers.Authorization.ToString());
            switch (how)
            {
                case "unauthorized": await Answer(401, """{"error":"Bad token TOKEN"}"""); break;
                case "code": await Answer(400, """{"message":"x","code":"TOKEN"}"""); break;
                case "busy": await Answer(429, "TOKEN"); break;
                case "refused": await Answer(200, """{"results":[{"type":"error","error":{"message":"no such column: TOKEN","code":"TOKEN"}},{"type":"ok","response":{"type":"close"}}]}"""); break;
                case "nonsense": await Answer(200, "TOKEN"); break;
                case "broken text": await Answer(200, """{"results":[{"type":"ok","response":{"result":{"cols":[],"rows":[[{"type":"integer","value":"TOKEN"}]]}}},{}]}"""); break;
                case "baton": await Answer(200, """{"baton":{"x":"TOKEN"},"results":[]}"""); break;
                case "base url": await Answer(200, """{"baton":"1","base_url":"ftp://TOKEN","results":[{"type":"ok","response":{}},{"type":"ok","response":{}}]}"""); break;
                case "cursor": await Answer(200, "{\"baton\":null}\n{\"type\":\"error\",\"error\":{\"message\":\"TOKEN\",\"code\":\"TOKEN\"}}\n"); break;
                case "header":
                case "status line":
                    var connection = context.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionTransportFeature>()!.Transport.Output;
                    await connection.WriteAsync(System.Text.Encoding.ASCII.GetBytes(how == "header" ? $"HTTP/1.1 200 OK\r\n{Token}\r\n\r\n" : $"{Token} 200 OK\r\n\r\n"), Cancellation);
                    await connection.FlushAsync(Cancellation);
                    break;
                default:
                    response.ContentLength = 1_000;
                    await response.WriteAsync("{\"results\":[" + Token, Cancellation);
                    await response.Body.FlushAsync(Cancellation);
                    context.Abort();
                    break;
            }

            Task Answer(int status, string text)
            {
                response.StatusCode = status;
                return response.WriteAsync(text.Replace("TOKEN", Token, StringComparison.Ordinal), Cancellation);
            }
        });
        var database = _bench.Open(url, options => (options.AuthToken, options.Retries) = (Token, 2));
        foreach (var request in (Func<Task>[])[() => database.QueryAsync(One, Cancellation), () => database.ExecuteAsync(One, Cancellation), () => database.OpenCursorAsync(One, Cancellation)])
        {
            if (await Record.ExceptionAsync(request) is { } failure)
            {
                Assert.IsType<TursoException>(failure);
                Assert.DoesNotContain(Token, failure.ToString(), StringComparison.Ordinal);
                Assert.DoesNotContain(Token, string.Join('\n', failure.Data.Values.Cast<object>()), StringComparison.Ordinal);
            }
            else
            {
                Assert.Fail("The request succeeded.");
            }
        }
        Assert.DoesNotContain(Token, _bench.Logs, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", _bench.Logs, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Token_WithALineEnd_IsNotSent()
    {
        var failure = await Assert.ThrowsAsync<TursoException>(() => _bench.Open(_url!, options => options.AuthToken = "a\r\nX-Other: b").QueryAsync(One, Cancellation));
        Assert.Equal((TursoFailure.Unauthorized, null), (failure.Failure, failure.Status));
        Assert.DoesNotContain("X-Other", failure.ToString(), StringComparison.Ordinal);
    }
}
