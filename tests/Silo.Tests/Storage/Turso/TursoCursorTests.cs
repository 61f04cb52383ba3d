using System.Text;
using Microsoft.AspNetCore.Http;
using Silo.LibSql;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

public sealed class TursoCursorTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private const int Many = 100_000;

    private static readonly TursoStatement ManyRows = new(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) SELECT n, printf('%.200c', 'x') AS x, randomblob(16) FROM n", Many);

    private readonly TursoBench _bench = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Rows_ManyOfThem_ComeOneByOneAndNoneIsKept()
    {
        var database = await _bench.CreateAsync(fixture.Sqld, options => (options.MaxRows, options.MaxAnswerBytes) = (1, 1024));
        await using var cursor = await database.OpenCursorAsync(ManyRows, Cancellation);
        Assert.Equal(["n", "x", "randomblob(16)"], cursor.Columns.Select(column => column.Name));
        var former = new Queue<WeakReference>();
        long count = 0, sum = 0, kept = 0;
        await foreach (var row in cursor.ReadAllAsync(Cancellation))
        {
            Assert.Equal((200, 16), (row[1].AsText().Length, row[2].AsBlob().Length));
            (count, sum) = (count + 1, sum + row[0].AsInteger());
            if (count % 10_000 == 0)
            {
                GC.Collect();
                while (former.TryDequeue(out var old)) kept += old.IsAlive ? 1 : 0;
            }
            else if (count % 1_000 == 0)
            {
                former.Enqueue(new WeakReference(row));
            }
        }
        Assert.Equal((Many, (Many + 1L) * Many / 2, 0), (count, sum, kept));
    }

    [Fact]
    public async Task Server_WhenNobodyReads_Waits()
    {
        const int RowBytes = 64 * 1024, Rows = 10_000;
        var written = 0;
        var row = Encoding.UTF8.GetBytes($"{{\"type\":\"row\",\"row\":[{{\"type\":\"text\",\"value\":\"{new string('x', RowBytes)}\"}}]}}\n");
        var url = await _bench.ServeAsync(async context =>
        {
            await context.Response.WriteAsync("{\"baton\":null,\"base_url\":null}\n{\"type\":\"step_begin\",\"step\":0,\"cols\":[{\"name\":\"a\"}]}\n", context.RequestAborted);
            for (written = 0; written < Rows; written++) await context.Response.Body.WriteAsync(row, context.RequestAborted);
        });
        await using var cursor = await _bench.Open(url).OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation);
        var read = 0;
        await foreach (var _ in cursor.ReadAllAsync(Cancellation))
        {
            if (++read < 5) continue;
            // Until the server's writing has come to a stand.
            var before = -1;
            await Eventually.IsAsync(() => before == (before = Volatile.Read(ref written)), "nothing more is written");
            break;
        }
        Assert.InRange(Volatile.Read(ref written), 5, Rows / 4);
    }

    [Theory]
    [InlineData(1, 40)]
    [InlineData(7, 3_000)]
    [InlineData(4_096, 300_000)]
    [InlineData(64 * 1024 - 1, 1_000_000)]
    [InlineData(64 * 1024 + 1, 1_000_000)]
    public async Task Rows_ThatComeInPieces_AreWhole(int pieceBytes, int longest)
    {
        int[] lengths = [0, longest, 1, longest / 2, 3, longest];
        var answer = MisbehavingServer.CursorBegin
            + string.Concat(lengths.Select((length, i) => $"{{\"type\":\"row\",\"row\":[{{\"type\":\"text\",\"value\":\"{new string((char)('a' + i), length)}\"}}]}}\n"))
            + MisbehavingServer.CursorEnd;
        var url = await _bench.ServeAsync(async context =>
        {
            var bytes = Encoding.UTF8.GetBytes(answer);
            for (var at = 0; at < bytes.Length; at += pieceBytes)
            {
                await context.Response.Body.WriteAsync(bytes.AsMemory(at, Math.Min(pieceBytes, bytes.Length - at)), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        });
        var rows = await TursoBench.AllAsync(await _bench.Open(url).OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation));
        Assert.Equal(lengths.Select((length, i) => new string((char)('a' + i), length)), rows.Select(row => row[0].AsText()));
    }

    [Fact]
    public async Task Cursor_LeftEarlyOrGivenUp_DisturbsNothing()
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        for (var i = 0; i < 5; i++)
        {
            await using (var left = await database.OpenCursorAsync(ManyRows, Cancellation))
            {
                await foreach (var _ in left.ReadAllAsync(Cancellation)) break;
            }
            using var given = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            await using var cursor = await database.OpenCursorAsync(ManyRows, Cancellation);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (var row in cursor.ReadAllAsync(given.Token))
                {
                    if (row[0].AsInteger() == 10) await given.CancelAsync();
                }
            });
        }
        Assert.Equal(1, (await database.QueryAsync(new TursoStatement("SELECT 1"), Cancellation)).Rows.Single().Single().AsInteger());
    }

    [Fact]
    public async Task Cursor_OfNoRowsOrOfNothing_EndsAtOnce()
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        Assert.Empty(await TursoBench.AllAsync(await database.OpenCursorAsync(new TursoStatement("SELECT 1 WHERE 0"), Cancellation)));
        var cursor = await database.OpenCursorAsync(new TursoStatement("SELECT 1"), Cancellation);
        await TursoBench.AllAsync(cursor);
        await Assert.ThrowsAsync<InvalidOperationException>(() => TursoBench.AllAsync(cursor));
    }

    [Theory]
    [InlineData("SELECT * FROM missing", "no such table")]
    [InlineData("SELEC", "could not be parsed")]
    public async Task Statement_ThatCannotBeRead_FailsAtTheOpening(string sql, string reason)
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        var failure = await Assert.ThrowsAsync<TursoException>(() => database.OpenCursorAsync(new TursoStatement(sql), Cancellation));
        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
    }

    /// <summary>An overflow is found when the row comes, and a text that is no UTF-8 makes sqld break off its answer.</summary>
    [Theory]
    [InlineData("SELECT 1 UNION ALL SELECT abs(-9223372036854775807 - 1)", TursoFailure.Refused)]
    [InlineData("SELECT 1 UNION ALL SELECT CAST(x'ff' AS TEXT)", TursoFailure.Unanswered)]
    public async Task Row_ThatCannotBeRead_IsNotTheEndOfTheRows(string sql, TursoFailure kind)
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        await using var cursor = await database.OpenCursorAsync(new TursoStatement(sql), Cancellation);
        var read = 0;
        var failure = await Assert.ThrowsAsync<TursoException>(async () =>
        {
            await foreach (var _ in cursor.ReadAllAsync(Cancellation)) read++;
        });
        Assert.Equal((1, kind), (read, failure.Failure));
    }

    [Fact]
    public async Task Server_KilledBetweenRows_FailsTheCursorAndServesTheNextOne()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: false, Cancellation);
        var database = await _bench.CreateAsync(sqld);
        var read = 0;
        await using var cursor = await database.OpenCursorAsync(ManyRows, Cancellation);
        var failure = await Assert.ThrowsAsync<TursoException>(async () =>
        {
            await foreach (var _ in cursor.ReadAllAsync(Cancellation))
            {
                if (++read == 1_000) await sqld.KillAsync();
            }
        });
        Assert.Equal((TursoFailure.Unanswered, true), (failure.Failure, failure.IsTransient));
        Assert.InRange(read, 1_000, Many - 1);
        await sqld.RestartAsync(Cancellation);
        Assert.Equal(Many, (await TursoBench.AllAsync(await database.OpenCursorAsync(ManyRows, Cancellation))).Count);
    }
}
