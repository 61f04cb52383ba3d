using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Gcs;

namespace Silo.Tests.Storage.Turso;

/// <summary>Servers that do what the real one does on bad days: what each means, and how often it is asked again.</summary>
public sealed class MisbehavingServerTests : IAsyncDisposable
{
    private const int Retries = 2;
    private const string Done = """{"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[],"affected_row_count":1,"last_insert_rowid":null}}},{"type":"ok","response":{"type":"close"}}]}""";
    private const string CursorBegin = "{\"baton\":null,\"base_url\":null}\n{\"type\":\"step_begin\",\"step\":0,\"cols\":[{\"name\":\"a\",\"decltype\":null}]}\n";
    private const string CursorRow = "{\"type\":\"row\",\"row\":[{\"type\":\"integer\",\"value\":\"1\"}]}\n";
    private const string CursorEnd = "{\"type\":\"step_end\",\"affected_row_count\":0,\"last_insert_rowid\":null}\n";

    private static readonly TursoStatement Statement = new("INSERT INTO t VALUES (1)");

    // A time of ours, so that what is slow is not what the machine is busy with. It goes on by itself for the waits between tries.
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromHours(1);

    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _over = new();
    private readonly TursoBench _bench;
    private readonly Task _clock;
    private int _requests;

    public MisbehavingServerTests()
    {
        _bench = new TursoBench(_time);
        _clock = RunClockAsync();
    }

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _clock;
        _over.Dispose();
        await _bench.DisposeAsync();
    }

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
        var database = await ServeAsync(context =>
        {
            context.Response.StatusCode = status;
            if (retryAfter is not null) context.Response.Headers.RetryAfter = retryAfter;
            return context.Response.WriteAsync("""{"error":"it is so"}""", Cancellation);
        });
        foreach (var (request, tries) in Requests(database, writes, reads))
        {
            _requests = 0;
            var failure = await Assert.ThrowsAsync<TursoException>(request);
            Assert.Equal((kind, (HttpStatusCode)status, kind == TursoFailure.Unavailable, tries), (failure.Failure, failure.Status!.Value, failure.MayHaveExecuted, _requests));
            Assert.Contains("it is so", failure.Message, StringComparison.Ordinal);
            Assert.Equal(retryAfter == "3600" ? TimeSpan.FromHours(1) : retryAfter is null ? null : TimeSpan.Zero, failure.RetryAfter);
        }
    }

    [Fact]
    public async Task Server_ThatRefusedOnce_IsAskedAgainAndLogged()
    {
        var database = await ServeAsync(context =>
        {
            if (_requests > 1) return context.Response.WriteAsync(Done, Cancellation);
            context.Response.StatusCode = 429;
            return Task.CompletedTask;
        });
        Assert.Equal(1, (await database.ExecuteAsync(Statement, Cancellation)).AffectedRows);
        Assert.Contains("Warning acme: Cannot execute a statement", _bench.Logs, StringComparison.Ordinal);
        Assert.Equal(2, _requests);
    }

    [Fact]
    public async Task Server_WhereNobodyListens_WasNotReachedAndIsTriedAgain()
    {
        var database = _bench.Open(BucketFixture.DeadUrl(), options => options.Retries = Retries);
        foreach (var (request, _) in Requests(database, 0, 0))
        {
            var failure = await Assert.ThrowsAsync<TursoException>(request);
            Assert.Equal((TursoFailure.Unreachable, false, true), (failure.Failure, failure.MayHaveExecuted, failure.IsTransient));
        }
        Assert.Equal(3 * Retries, _bench.Logs.Split("Warning").Length - 1);
    }

    [Fact]
    public async Task Server_ThatDoesNotAnswerInTime_MayHaveExecuted()
    {
        var database = await ServeAsync(context =>
        {
            _time.Advance(RequestTimeout);
            return Forever(context.RequestAborted);
        });
        await UnansweredAsync(database);
    }

    [Fact]
    public async Task Server_ThatStopsInTheMiddleOfAnAnswer_MayHaveExecuted()
    {
        var database = await ServeAsync(async context =>
        {
            await context.Response.WriteAsync(Done[..50], Cancellation);
            await context.Response.Body.FlushAsync(Cancellation);
            _time.Advance(RequestTimeout);
            await Forever(context.RequestAborted);
        });
        await UnansweredAsync(database);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    public async Task Server_ThatClosesInTheMiddleOfAnAnswer_MayHaveExecuted(int bytes)
    {
        var database = await ServeAsync(async context =>
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
        var database = await ServeAsync(
            context =>
            {
                if (_requests == 1)
                {
                    context.Response.StatusCode = 429;
                    return Task.CompletedTask;
                }
                _time.Advance(RequestTimeout / 2);
                return Forever(context.RequestAborted);
            },
            options => options.TotalTimeout = RequestTimeout / 2);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAsync(Statement, Cancellation));
        Assert.Equal((TursoFailure.Unanswered, true, 2), (failure.Failure, failure.MayHaveExecuted, _requests));
    }

    [Fact]
    public async Task Caller_WhoGivesUp_IsNotToldOfAFailure()
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var database = await ServeAsync(async context =>
        {
            await given.CancelAsync();
            await Forever(context.RequestAborted);
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => database.ExecuteAsync(Statement, given.Token));
        Assert.Equal(1, _requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html>Welcome to the hotel</html>")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"results":[]}""")]
    [InlineData("""{"results":[{},{}]}""")]
    [InlineData("""{"results":{}}""")]
    [InlineData("""{"baton":1,"results":[]}""")]
    [InlineData(Done + "{}")]
    [InlineData("""{"results":[{"type":"ok","response":{"result":{}}},{"response":{}}]}""")]
    [InlineData("""{"results":[{"type":"ok","response":{"result":{"cols":[{"name":"a"}],"rows":[[]]}}},{"response":{}}]}""")]
    [InlineData("""{"results":[{"type":"ok","response":{"result":{"cols":[],"rows":[],"affected_row_count":"many"}}},{"response":{}}]}""")]
    [InlineData("""{"results":[{"type":"ok","response":{"result":{"step_results":[],"step_errors":[null]}}},{"response":{}}]}""")]
    public async Task Answer_ThatIsNone_MayHaveExecuted(string answer) => await MalformedAsync(answer);

    [Theory]
    [InlineData("{}")]
    [InlineData("1")]
    [InlineData("""{"type":"number","value":"1"}""")]
    [InlineData("""{"type":"integer"}""")]
    [InlineData("""{"type":"integer","value":"9223372036854775808"}""")]
    [InlineData("""{"type":"integer","value":1.5}""")]
    [InlineData("""{"type":"integer","value":null}""")]
    [InlineData("""{"type":"float","value":"1"}""")]
    [InlineData("""{"type":"float","value":1e999}""")]
    [InlineData("""{"type":"float"}""")]
    [InlineData("""{"type":"text","value":1}""")]
    [InlineData("""{"type":"text"}""")]
    [InlineData("""{"type":"text","value":"\ud800"}""")]
    [InlineData("""{"type":"text","value":{"a":1}}""")]
    [InlineData("""{"type":"blob","base64":"A"}""")]
    [InlineData("""{"type":"blob","base64":"A A="}""")]
    [InlineData("""{"type":"blob","base64":"-_-_"}""")]
    [InlineData("""{"type":"blob"}""")]
    public async Task Value_ThatIsNone_IsRefused(string value) =>
        await MalformedAsync("""{"results":[{"type":"ok","response":{"result":{"cols":[{"name":"a"}],"rows":[[""" + value + """]]}}},{"response":{}}]}""");

    [Theory]
    [InlineData("""{"value":"-1","type":"integer"}""", "-1")]
    [InlineData("""{"type":"integer","value":-1}""", "-1")]
    [InlineData("""{"x":[{"type":1}],"base64":"+/8","type":"blob","y":null}""", "FBFF")]
    [InlineData("""{"type":"blob","base64":"+/8="}""", "FBFF")]
    [InlineData("""{"type":"blob","base64":"\u002b\/8="}""", "FBFF")]
    [InlineData("""{"type":"blob","base64":""}""", "")]
    public async Task Answer_InAnyOrderAndWithMoreInIt_IsUnderstood(string value, string expected)
    {
        var database = await ServeAsync(context => context.Response.WriteAsync(
            """{"new":[{"a":{}}],"results":[{"response":{"result":{"rows":[[""" + value + """]],"more":{"cols":1},"cols":[{"decltype":null,"name":null}]},"type":"execute"},"type":"ok"},{"response":{},"type":"ok"}]}""", Cancellation));
        var read = (await database.QueryAsync(Statement, Cancellation)).Rows.Single().Single();
        Assert.Equal(expected, read.Type == TursoType.Blob ? Convert.ToHexString(read.AsBlob()) : $"{read.AsInteger()}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Answer_LargerThanIsTaken_IsRefused(bool isLengthKnown)
    {
        var database = await ServeAsync(
            async context =>
            {
                var text = Done + new string(' ', 10_000);
                if (isLengthKnown) context.Response.ContentLength = text.Length;
                await context.Response.WriteAsync(text, Cancellation);
            },
            options => options.MaxAnswerBytes = 5_000);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(Statement, Cancellation));
        Assert.Equal((TursoFailure.TooLarge, true, 1), (failure.Failure, failure.MayHaveExecuted, _requests));
        Assert.Contains("Turso:MaxAnswerBytes", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_WithMoreRowsThanAreTaken_IsRefused()
    {
        var rows = string.Join(',', Enumerable.Repeat("[]", 11));
        var database = await ServeAsync(
            context => context.Response.WriteAsync("""{"results":[{"response":{"result":{"cols":[],"rows":[""" + rows + """]}}},{"response":{}}]}""", Cancellation), options => options.MaxRows = 10);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(Statement, Cancellation));
        Assert.Equal(TursoFailure.TooLarge, failure.Failure);
        Assert.Contains("Turso:MaxRows", failure.Message, StringComparison.Ordinal);
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
        var database = await ServeAsync(async context =>
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
        Assert.Equal((kind, 1), (failure.Failure, _requests));
        if (isClosedCleanly) Assert.Equal(rows, read);
        else Assert.InRange(read, 0, rows);
    }

    [Fact]
    public async Task Cursor_WithARowThatIsTooLarge_Fails()
    {
        var database = await ServeAsync(
            context => context.Response.WriteAsync(CursorBegin + CursorRow + "{\"type\":\"row\",\"row\":[{\"type\":\"text\",\"value\":\"" + new string('x', 5_000_000), Cancellation),
            options => options.MaxRowBytes = 100_000);
        await using var cursor = await database.OpenCursorAsync(Statement, Cancellation);
        var failure = await Assert.ThrowsAsync<TursoException>(async () =>
        {
            await foreach (var _ in cursor.ReadAllAsync(Cancellation)) { }
        });
        Assert.Equal(TursoFailure.TooLarge, failure.Failure);
        Assert.Contains("Turso:MaxRowBytes", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cursor_ThatStops_FailsWhenNothingCameForTheTime()
    {
        var database = await ServeAsync(async context =>
        {
            await context.Response.WriteAsync(CursorBegin + CursorRow, Cancellation);
            await context.Response.Body.FlushAsync(Cancellation);
            await Forever(context.RequestAborted);
        });
        await using var cursor = await database.OpenCursorAsync(Statement, Cancellation);
        // Whoever takes the time that he wants between two rows does not use up the server's.
        _time.Advance(RequestTimeout);
        var reading = Assert.ThrowsAsync<TursoException>(async () =>
        {
            await foreach (var _ in cursor.ReadAllAsync(Cancellation)) _time.Advance(RequestTimeout);
        });
        await Eventually.IsAsync(
            () =>
            {
                _time.Advance(RequestTimeout);
                return reading.IsCompleted;
            },
            "the cursor has failed");
        var failure = await reading;
        Assert.Equal((TursoFailure.Unanswered, 1), (failure.Failure, _requests));
    }

    [Fact]
    public async Task Cursor_ThatFailsBeforeItsColumns_IsAskedForAgain()
    {
        var database = await ServeAsync(context => context.Response.WriteAsync(_requests == 1 ? "{\"baton\":null}\n" : CursorBegin + CursorRow + CursorEnd, Cancellation));
        Assert.Single(await TursoBench.AllAsync(await database.OpenCursorAsync(Statement, Cancellation)));
        Assert.Equal(2, _requests);
    }

    [Fact]
    public async Task Stream_ThatGoesOnElsewhere_IsFollowedWithItsBaton()
    {
        var bodies = new List<string>();
        var elsewhere = await _bench.ServeAsync(async context =>
        {
            bodies.Add(context.Request.Path + " " + await new StreamReader(context.Request.Body).ReadToEndAsync(Cancellation));
            await context.Response.WriteAsync(bodies.Count == 1 ? """{"baton":"third","results":[{"response":{"result":{"cols":[],"rows":[]}}}]}""" : Done, Cancellation);
        });
        var database = await ServeAsync(context =>
            context.Response.WriteAsync("""{"baton":"second","base_url":"ELSEWHERE","results":[{"response":{"result":{"cols":[],"rows":[]}}}]}""".Replace("ELSEWHERE", $"{elsewhere}there", StringComparison.Ordinal), Cancellation));
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(Statement, Cancellation);
        await transaction.CommitAsync(Cancellation);
        Assert.Equal(1, _requests);
        Assert.StartsWith("/there/v3/pipeline {\"baton\":\"second\",", bodies[0], StringComparison.Ordinal);
        Assert.StartsWith("/there/v3/pipeline {\"baton\":\"third\",", bodies[1], StringComparison.Ordinal);
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
        var database = await ServeAsync(context =>
        {
            if (_requests == 1) return context.Response.WriteAsync("""{"baton":"1","results":[{"response":{"result":{"cols":[],"rows":[]}}}]}""", Cancellation);
            context.Response.StatusCode = status;
            return context.Response.WriteAsync(body, Cancellation);
        });
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        var failure = await Assert.ThrowsAsync<TursoException>(() => transaction.CommitAsync(Cancellation));
        Assert.Equal((kind, mayHave, 1 + tries), (failure.Failure, failure.MayHaveExecuted, _requests));
    }

    private static IEnumerable<(Func<Task> Request, int Tries)> Requests(TursoDatabase database, int writes, int reads) =>
    [
        (() => database.ExecuteAsync(Statement, Cancellation), writes),
        (() => database.QueryAsync(Statement, Cancellation), reads),
        (() => database.OpenCursorAsync(Statement, Cancellation), reads),
    ];

    private async Task UnansweredAsync(TursoDatabase database)
    {
        foreach (var (request, tries) in Requests(database, 1, 1 + Retries))
        {
            _requests = 0;
            var failure = await Assert.ThrowsAsync<TursoException>(request);
            Assert.Equal((TursoFailure.Unanswered, true, tries), (failure.Failure, failure.MayHaveExecuted, _requests));
        }
    }

    private async Task MalformedAsync(string answer)
    {
        var database = await ServeAsync(context => context.Response.WriteAsync(answer, Cancellation));
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAsync(Statement, Cancellation));
        Assert.Equal((TursoFailure.Malformed, true, 1), (failure.Failure, failure.MayHaveExecuted, _requests));
    }

    private async Task RunClockAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(_over.Token)) _time.Advance(TimeSpan.FromMilliseconds(1));
        }
        catch (OperationCanceledException)
        {
            // that is how it ends
        }
    }

    /// <summary>Until the client has gone.</summary>
    private static async Task Forever(CancellationToken aborted)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = aborted.Register(gone.SetResult);
        await gone.Task;
    }

    private async Task<TursoDatabase> ServeAsync(RequestDelegate answer, Action<TursoOptions>? configure = null)
    {
        var url = await _bench.ServeAsync(context =>
        {
            Interlocked.Increment(ref _requests);
            return answer(context);
        });
        return _bench.Open(url, options =>
        {
            (options.Retries, options.RequestTimeout, options.TotalTimeout) = (Retries, RequestTimeout, 100 * RequestTimeout);
            configure?.Invoke(options);
        });
    }
}
