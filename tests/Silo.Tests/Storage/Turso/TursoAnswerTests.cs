using Microsoft.AspNetCore.Http;
using Silo.Storage.Turso;
using static Silo.Tests.Storage.Turso.MisbehavingServer;

namespace Silo.Tests.Storage.Turso;

/// <summary>Answers that are none, that come in another order, or that are larger than is taken.</summary>
public sealed class TursoAnswerTests : IAsyncDisposable
{
    private readonly MisbehavingServer _server = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _server.DisposeAsync();

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
        var database = await _server.ServeAsync(context => context.Response.WriteAsync(
            """{"new":[{"a":{}}],"results":[{"response":{"result":{"rows":[[""" + value + """]],"more":{"cols":1},"cols":[{"decltype":null,"name":null}]},"type":"execute"},"type":"ok"},{"response":{},"type":"ok"}]}""", Cancellation));
        var read = (await database.QueryAsync(Statement, Cancellation)).Rows.Single().Single();
        Assert.Equal(expected, read.Type == TursoType.Blob ? Convert.ToHexString(read.AsBlob()) : $"{read.AsInteger()}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Answer_LargerThanIsTaken_IsRefused(bool isLengthKnown)
    {
        var database = await _server.ServeAsync(
            async context =>
            {
                var text = Done + new string(' ', 10_000);
                if (isLengthKnown) context.Response.ContentLength = text.Length;
                await context.Response.WriteAsync(text, Cancellation);
            },
            options => options.MaxAnswerBytes = 5_000);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(Statement, Cancellation));
        Assert.Equal((TursoFailure.TooLarge, true, 1), (failure.Failure, failure.MayHaveExecuted, _server.Requests));
        Assert.Contains("Turso:MaxAnswerBytes", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_WithMoreRowsThanAreTaken_IsRefused()
    {
        var rows = string.Join(',', Enumerable.Repeat("[]", 11));
        var database = await _server.ServeAsync(
            context => context.Response.WriteAsync("""{"results":[{"response":{"result":{"cols":[],"rows":[""" + rows + """]}}},{"response":{}}]}""", Cancellation), options => options.MaxRows = 10);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(Statement, Cancellation));
        Assert.Equal(TursoFailure.TooLarge, failure.Failure);
        Assert.Contains("Turso:MaxRows", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cursor_WithARowThatIsTooLarge_Fails()
    {
        var database = await _server.ServeAsync(
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

    private async Task MalformedAsync(string answer)
    {
        var database = await _server.ServeAsync(context => context.Response.WriteAsync(answer, Cancellation));
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAsync(Statement, Cancellation));
        Assert.Equal((TursoFailure.Malformed, true, 1), (failure.Failure, failure.MayHaveExecuted, _server.Requests));
    }
}
