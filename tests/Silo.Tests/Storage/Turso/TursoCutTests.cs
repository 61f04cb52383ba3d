using Microsoft.AspNetCore.Http;
using Silo.Storage.Turso;
using static Silo.Tests.Storage.Turso.MisbehavingServer;

namespace Silo.Tests.Storage.Turso;

/// <summary>Answers that do not come, or end before their end, and streams that go on elsewhere.</summary>
public sealed class TursoCutTests : IAsyncDisposable
{
    private readonly MisbehavingServer _server = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Server_ThatDoesNotAnswerInTime_MayHaveExecuted()
    {
        var database = await _server.ServeAsync(context =>
        {
            _server.Time.Advance(RequestTimeout);
            return GoneAsync(context.RequestAborted);
        });
        await UnansweredAsync(database);
    }

    [Fact]
    public async Task Server_ThatStopsInTheMiddleOfAnAnswer_MayHaveExecuted()
    {
        var database = await _server.ServeAsync(async context =>
        {
            await context.Response.WriteAsync(Done[..50], Cancellation);
            await context.Response.Body.FlushAsync(Cancellation);
            _server.Time.Advance(RequestTimeout);
            await GoneAsync(context.RequestAborted);
        });
        await UnansweredAsync(database);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    public async Task Server_ThatClosesInTheMiddleOfAnAnswer_MayHaveExecuted(int bytes)
    {
        var database = await _server.ServeAsync(async context =>
        {
            context.Response.ContentLength = Done.Length;
            await context.Response.WriteAsync(Done[..bytes], Cancellation);
            if (bytes > 0) await context.Response.Body.FlushAsync(Cancellation);
            context.Abort();
        });
        await UnansweredAsync(database);
    }

    [Fact]
    public async Task Time_ThatIsUpDuringATry_LeavesTheOutcomeOpen()
    {
        // The first try is refused, which alone would be safe to tell; the second one hangs.
        var database = await _server.ServeAsync(
            context =>
            {
                if (_server.Requests == 1)
                {
                    context.Response.StatusCode = 429;
                    return Task.CompletedTask;
                }
                _server.Time.Advance(RequestTimeout / 2);
                return GoneAsync(context.RequestAborted);
            },
            options => options.TotalTimeout = RequestTimeout / 2);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAsync(Statement, Cancellation));
        Assert.Equal((TursoFailure.Unanswered, true, 2), (failure.Failure, failure.MayHaveExecuted, _server.Requests));
    }

    [Fact]
    public async Task Caller_WhoGivesUp_IsNotToldOfAFailure()
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var database = await _server.ServeAsync(async context =>
        {
            await given.CancelAsync();
            await GoneAsync(context.RequestAborted);
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => database.ExecuteAsync(Statement, given.Token));
        Assert.Equal(1, _server.Requests);
    }

    [Theory]
    [InlineData(CursorBegin + CursorRow + CursorRow, false, TursoFailure.Unanswered, 2)]
    [InlineData(CursorBegin + CursorRow + "{\"type\":\"row\",\"row\":[{\"ty", false, TursoFailure.Unanswered, 1)]
    [InlineData(CursorBegin + CursorRow + CursorRow, true, TursoFailure.Unanswered, 2)]
    [InlineData(CursorBegin + CursorRow + "<html>\n", true, TursoFailure.Malformed, 1)]
    [InlineData(CursorBegin + CursorRow + "{\"type\":\"row\"}\n", true, TursoFailure.Malformed, 1)]
    [InlineData(CursorBegin + CursorRow + "{\"type\":\"row\",\"row\":[]}\n", true, TursoFailure.Malformed, 1)]
    [InlineData(CursorBegin + CursorRow + "{\"type\":\"step_error\",\"step\":0,\"error\":{\"message\":\"x\",\"code\":\"SQLITE_CORRUPT\"}}\n", true, TursoFailure.Refused, 1)]
    [InlineData(CursorBegin + CursorRow + "{\"type\":\"error\",\"error\":{\"message\":\"x\",\"code\":\"TRANSACTION_TIMEOUT\"}}\n", true, TursoFailure.StreamLost, 1)]
    public async Task Cursor_ThatEndsBeforeItsEnd_FailsAfterTheRowsThatCame(string lines, bool isClosedCleanly, TursoFailure kind, int rows)
    {
        var isOpen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var database = await _server.ServeAsync(async context =>
        {
            await context.Response.WriteAsync(lines, Cancellation);
            await context.Response.Body.FlushAsync(Cancellation);
            if (isClosedCleanly) return;
            await isOpen.Task;
            context.Abort();
        });
        await using var cursor = await database.OpenCursorAsync(Statement, Cancellation);
        isOpen.SetResult();
        var read = 0;
        var failure = await Assert.ThrowsAsync<TursoException>(async () =>
        {
            await foreach (var _ in cursor.ReadAllAsync(Cancellation)) read++;
        });
        // What an abort takes with it is up to the network; what came is never more than was sent.
        Assert.Equal((kind, 1), (failure.Failure, _server.Requests));
        if (isClosedCleanly) Assert.Equal(rows, read);
        else Assert.InRange(read, 0, rows);
    }

    [Fact]
    public async Task Cursor_ThatStops_FailsWhenNothingCameForTheTime()
    {
        var database = await _server.ServeAsync(async context =>
        {
            await context.Response.WriteAsync(CursorBegin + CursorRow, Cancellation);
            await context.Response.Body.FlushAsync(Cancellation);
            await GoneAsync(context.RequestAborted);
        });
        await using var cursor = await database.OpenCursorAsync(Statement, Cancellation);
        // Whoever takes the time that he wants between two rows does not use up the server's.
        _server.Time.Advance(RequestTimeout);
        var reading = Assert.ThrowsAsync<TursoException>(async () =>
        {
            await foreach (var _ in cursor.ReadAllAsync(Cancellation)) _server.Time.Advance(RequestTimeout);
        });
        await Eventually.IsAsync(
            () =>
            {
                _server.Time.Advance(RequestTimeout);
                return reading.IsCompleted;
            },
            "the cursor has failed");
        var failure = await reading;
        Assert.Equal((TursoFailure.Unanswered, 1), (failure.Failure, _server.Requests));
    }

    [Fact]
    public async Task Cursor_ThatFailsBeforeItsColumns_IsAskedForAgain()
    {
        var database = await _server.ServeAsync(context => context.Response.WriteAsync(_server.Requests == 1 ? "{\"baton\":null}\n" : CursorBegin + CursorRow + CursorEnd, Cancellation));
        Assert.Single(await TursoBench.AllAsync(await database.OpenCursorAsync(Statement, Cancellation)));
        Assert.Equal(2, _server.Requests);
    }

    [Fact]
    public async Task Stream_ThatGoesOnElsewhere_IsFollowedWithItsBaton()
    {
        var bodies = new List<string>();
        var elsewhere = await _server.Bench.ServeAsync(async context =>
        {
            bodies.Add(context.Request.Path + " " + await new StreamReader(context.Request.Body).ReadToEndAsync(Cancellation));
            await context.Response.WriteAsync(bodies.Count == 1 ? """{"baton":"third","results":[{"response":{"result":{"cols":[],"rows":[]}}}]}""" : Done, Cancellation);
        });
        var database = await _server.ServeAsync(context =>
            context.Response.WriteAsync("""{"baton":"second","base_url":"ELSEWHERE","results":[{"response":{"result":{"cols":[],"rows":[]}}}]}""".Replace("ELSEWHERE", $"{elsewhere}there", StringComparison.Ordinal), Cancellation));
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(Statement, Cancellation);
        await transaction.CommitAsync(Cancellation);
        Assert.Equal(1, _server.Requests);
        Assert.StartsWith("/there/v3/pipeline {\"baton\":\"second\",", bodies[0], StringComparison.Ordinal);
        Assert.StartsWith("/there/v3/pipeline {\"baton\":\"third\",", bodies[1], StringComparison.Ordinal);
    }

    private async Task UnansweredAsync(TursoDatabase database)
    {
        foreach (var (request, tries) in RequestsTo(database, 1, 1 + Retries))
        {
            _server.Requests = 0;
            var failure = await Assert.ThrowsAsync<TursoException>(request);
            Assert.Equal((TursoFailure.Unanswered, true, tries), (failure.Failure, failure.MayHaveExecuted, _server.Requests));
        }
    }
}
