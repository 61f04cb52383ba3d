using System.Net;
using Microsoft.AspNetCore.Http;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Gcs;
using static Silo.Tests.Storage.Turso.MisbehavingServer;

namespace Silo.Tests.Storage.Turso;

/// <summary>What a status means, and how often a server that answers with it is asked again.</summary>
public sealed class TursoStatusTests : IAsyncDisposable
{
    private readonly MisbehavingServer _server = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(400, null, TursoFailure.Refused, 1, 1)]
    [InlineData(302, null, TursoFailure.Refused, 1, 1)]
    [InlineData(401, null, TursoFailure.Unauthorized, 1, 1)]
    [InlineData(403, null, TursoFailure.Unauthorized, 1, 1)]
    [InlineData(404, null, TursoFailure.NotFound, 3, 3)] // and looks for the versions
    [InlineData(408, null, TursoFailure.Unavailable, 1, 1 + Retries)]
    [InlineData(413, null, TursoFailure.TooLarge, 1, 1)]
    [InlineData(429, null, TursoFailure.Overloaded, 1 + Retries, 1 + Retries)]
    [InlineData(429, "0", TursoFailure.Overloaded, 1 + Retries, 1 + Retries)]
    [InlineData(429, "3600", TursoFailure.Overloaded, 1, 1)]
    [InlineData(429, "Thu, 01 Jan 1970 00:00:00 GMT", TursoFailure.Overloaded, 1 + Retries, 1 + Retries)]
    [InlineData(500, null, TursoFailure.Unavailable, 1, 1 + Retries)]
    [InlineData(502, null, TursoFailure.Unavailable, 1, 1 + Retries)]
    [InlineData(503, null, TursoFailure.Unavailable, 1, 1 + Retries)]
    [InlineData(503, "0", TursoFailure.Overloaded, 1 + Retries, 1 + Retries)]
    [InlineData(503, "3600", TursoFailure.Overloaded, 1, 1)]
    public async Task Status_OfAnAnswer_SaysWhatFailedAndWhetherToAskAgain(int status, string? retryAfter, TursoFailure kind, int writes, int reads)
    {
        var database = await _server.ServeAsync(context =>
        {
            context.Response.StatusCode = status;
            if (retryAfter is not null) context.Response.Headers.RetryAfter = retryAfter;
            return context.Response.WriteAsync("""{"error":"it is so"}""", Cancellation);
        });
        foreach (var (request, tries) in RequestsTo(database, writes, reads))
        {
            _server.Requests = 0;
            var failure = await Assert.ThrowsAsync<TursoException>(request);
            Assert.Equal((kind, (HttpStatusCode)status, kind == TursoFailure.Unavailable, tries), (failure.Failure, failure.Status!.Value, failure.MayHaveExecuted, _server.Requests));
            Assert.Contains("it is so", failure.Message, StringComparison.Ordinal);
            Assert.Equal(retryAfter == "3600" ? TimeSpan.FromHours(1) : retryAfter is null ? null : TimeSpan.Zero, failure.RetryAfter);
        }
    }

    [Fact]
    public async Task Server_ThatRefusedOnce_IsAskedAgainAndLogged()
    {
        var database = await _server.ServeAsync(context =>
        {
            if (_server.Requests > 1) return context.Response.WriteAsync(Done, Cancellation);
            context.Response.StatusCode = 429;
            return Task.CompletedTask;
        });
        Assert.Equal(1, (await database.ExecuteAsync(Statement, Cancellation)).AffectedRows);
        Assert.Contains("Warning acme: Cannot execute a statement", _server.Bench.Logs, StringComparison.Ordinal);
        Assert.Equal(2, _server.Requests);
    }

    [Fact]
    public async Task Server_WhereNobodyListens_WasNotReachedAndIsTriedAgain()
    {
        var database = _server.Bench.Open(BucketFixture.DeadUrl(), options => options.Retries = Retries);
        foreach (var (request, _) in RequestsTo(database, 0, 0))
        {
            var failure = await Assert.ThrowsAsync<TursoException>(request);
            Assert.Equal((TursoFailure.Unreachable, false, true), (failure.Failure, failure.MayHaveExecuted, failure.IsTransient));
        }
        Assert.Equal(3 * Retries, _server.Bench.Logs.Split("Warning").Length - 1);
    }

    /// <summary>Nothing of a stream that is under way is sent twice, except what was refused at the door.</summary>
    [Theory]
    [InlineData(500, "", TursoFailure.Unavailable, true, 1)]
    [InlineData(429, "", TursoFailure.Overloaded, false, 1 + Retries)]
    [InlineData(400, """{"message":"The stream has expired due to inactivity","code":"STREAM_EXPIRED"}""", TursoFailure.StreamLost, false, 1)]
    [InlineData(400, "Received an invalid baton", TursoFailure.StreamLost, false, 1)]
    [InlineData(400, "Received a baton that has already been used", TursoFailure.StreamLost, true, 1)]
    public async Task Commit_ThatFails_SaysWhetherItMayHaveBeenDone(int status, string body, TursoFailure kind, bool mayHave, int tries)
    {
        var database = await _server.ServeAsync(context =>
        {
            if (_server.Requests == 1) return context.Response.WriteAsync("""{"baton":"1","results":[{"response":{"result":{"cols":[],"rows":[]}}}]}""", Cancellation);
            context.Response.StatusCode = status;
            return context.Response.WriteAsync(body, Cancellation);
        });
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        var failure = await Assert.ThrowsAsync<TursoException>(() => transaction.CommitAsync(Cancellation));
        Assert.Equal((kind, mayHave, 1 + tries), (failure.Failure, failure.MayHaveExecuted, _server.Requests));
    }
}
