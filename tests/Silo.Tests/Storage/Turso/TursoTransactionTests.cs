using System.Net.Http.Json;
using Silo.LibSql;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

public sealed class TursoTransactionTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private readonly TursoBench _bench = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Commit_OfATransaction_KeepsItAndShowsItToNobodyBefore()
    {
        var database = await TableAsync();
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        var inserted = await transaction.ExecuteAsync(Insert(1), Cancellation);
        Assert.Equal((1, 1), (inserted.AffectedRows, inserted.LastInsertRowId));
        await transaction.ExecuteAllAsync([Insert(2), Insert(3)], Cancellation);
        Assert.Equal(3, (await TursoBench.AllAsync(await transaction.OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation))).Count);
        Assert.Equal(0, await CountAsync(database));
        await transaction.CommitAsync(Cancellation);
        Assert.Equal(3, await CountAsync(database));
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.ExecuteAsync(Insert(4), Cancellation));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rollback_OfATransaction_KeepsNothingAndFreesTheWriter(bool byDisposal)
    {
        var database = await TableAsync();
        var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(Insert(1), Cancellation);
        if (byDisposal) await transaction.DisposeAsync();
        else await transaction.RollbackAsync();
        await database.ExecuteAsync(Insert(2), Cancellation);
        Assert.Equal(1, await CountAsync(database));
    }

    [Fact]
    public async Task Reading_InATransaction_SeesOneState()
    {
        var database = await TableAsync();
        await using var reading = await database.BeginAsync(TursoTransactionMode.Read, Cancellation);
        await reading.ExecuteAsync(new TursoStatement("SELECT count(*) FROM t"), Cancellation);
        await database.ExecuteAsync(Insert(1), Cancellation);
        Assert.Empty(await TursoBench.AllAsync(await reading.OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation)));
    }

    /// <summary>On the server, what follows a transaction that it has rolled back would be committed at once.</summary>
    [Theory]
    [InlineData("INSERT INTO t VALUES (1)", "SQLITE_CONSTRAINT")]
    [InlineData("INSERT OR ROLLBACK INTO t VALUES (1)", "SQLITE_CONSTRAINT")]
    [InlineData("SELECT * FROM missing", "SQLITE_UNKNOWN")]
    [InlineData("SELEC", "SQL_PARSE_ERROR")]
    public async Task Statement_ThatFails_EndsTheTransaction(string sql, string code)
    {
        var database = await TableAsync();
        await database.ExecuteAsync(Insert(1), Cancellation);
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(Insert(2), Cancellation);
        var refused = await Assert.ThrowsAsync<TursoException>(() => transaction.ExecuteAsync(new TursoStatement(sql), Cancellation));
        Assert.Equal((TursoFailure.Refused, code, false), (refused.Failure, refused.Code, refused.MayHaveExecuted));
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.ExecuteAsync(Insert(3), Cancellation));
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.CommitAsync(Cancellation));
        Assert.Equal(1, await CountAsync(database));
        await database.ExecuteAsync(Insert(4), Cancellation);
    }

    [Fact]
    public async Task Statements_OfWhichOneFails_EndTheTransaction()
    {
        var database = await TableAsync();
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        Assert.Equal("SQLITE_CONSTRAINT", (await Assert.ThrowsAsync<TursoException>(() => transaction.ExecuteAllAsync([Insert(1), Insert(1), Insert(2)], Cancellation))).Code);
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.CommitAsync(Cancellation));
        Assert.Equal(0, await CountAsync(database));
    }

    [Fact]
    public async Task Transaction_LeftAloneForTenSeconds_IsLostAndSaysSo()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: false, Cancellation);
        var database = await TableAsync(sqld);
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(Insert(1), Cancellation);
        using var http = new HttpClient();
        await Eventually.GetAsync(async () => (await http.GetFromJsonAsync<string[]>(new Uri(sqld.AdminUrl, "/v1/diagnostics"), Cancellation))!.FirstOrDefault(stream => stream == "expired"), "the stream has expired");
        var lost = await Assert.ThrowsAsync<TursoException>(() => transaction.CommitAsync(Cancellation));
        Assert.Equal((TursoFailure.StreamLost, "STREAM_EXPIRED", false, true), (lost.Failure, lost.Code, lost.MayHaveExecuted, lost.IsTransient));
        Assert.Equal(0, await CountAsync(database));
    }

    [Fact]
    public async Task Transaction_ThatHoldsUpAnotherForFiveSeconds_IsLostAndSaysSo()
    {
        var database = await TableAsync();
        await using var slow = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await slow.ExecuteAsync(Insert(1), Cancellation);
        await database.ExecuteAsync(Insert(2), Cancellation);
        var lost = await Assert.ThrowsAsync<TursoException>(() => slow.ExecuteAsync(Insert(3), Cancellation));
        Assert.Equal((TursoFailure.StreamLost, "TRANSACTION_TIMEOUT", false), (lost.Failure, lost.Code, lost.MayHaveExecuted));
        await Assert.ThrowsAsync<InvalidOperationException>(() => slow.ExecuteAsync(Insert(3), Cancellation));
        Assert.Equal([2], (await database.QueryAsync(new TursoStatement("SELECT a FROM t"), Cancellation)).Rows.Single());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Server_KilledInATransaction_KeepsNothingOfItAndGoesOnAfterwards(bool atTheCommit)
    {
        await using var sqld = await Sqld.StartAsync(authenticated: false, Cancellation);
        var database = await TableAsync(sqld);
        await database.ExecuteAsync(Insert(1), Cancellation);
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await transaction.ExecuteAsync(Insert(2), Cancellation);
        await sqld.RestartAsync(Cancellation);
        var lost = await Assert.ThrowsAsync<TursoException>(() => atTheCommit ? transaction.CommitAsync(Cancellation) : transaction.ExecuteAsync(Insert(3), Cancellation));
        Assert.Equal((TursoFailure.StreamLost, false), (lost.Failure, lost.MayHaveExecuted));
        Assert.Equal(1, await CountAsync(database));
        await using var again = await database.BeginAsync(TursoTransactionMode.Write, Cancellation);
        await again.ExecuteAsync(Insert(2), Cancellation);
        await again.CommitAsync(Cancellation);
        Assert.Equal(2, await CountAsync(database));
    }

    [Fact]
    public async Task Request_WhileACursorIsOpen_IsAMistakeAndToldSo()
    {
        var database = await TableAsync();
        await database.ExecuteAllAsync([Insert(1), Insert(2)], Cancellation);
        await using var transaction = await database.BeginAsync(TursoTransactionMode.Read, Cancellation);
        var cursor = await transaction.OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation);
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.ExecuteAsync(new TursoStatement("SELECT 1"), Cancellation));
        Assert.Equal(2, (await TursoBench.AllAsync(cursor)).Count);
        await transaction.ExecuteAsync(new TursoStatement("SELECT 1"), Cancellation);

        await (await transaction.OpenCursorAsync(new TursoStatement("SELECT a FROM t"), Cancellation)).DisposeAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.ExecuteAsync(new TursoStatement("SELECT 1"), Cancellation));
    }

    private static TursoStatement Insert(long a) => new("INSERT INTO t VALUES (?)", a);

    private static async Task<long> CountAsync(TursoDatabase database) =>
        (await database.QueryAsync(new TursoStatement("SELECT count(*) FROM t"), Cancellation)).Rows.Single().Single().AsInteger();

    private async Task<TursoDatabase> TableAsync(Sqld? sqld = null)
    {
        var database = await _bench.CreateAsync(sqld ?? fixture.Sqld);
        await database.ExecuteAsync(new TursoStatement("CREATE TABLE t (a INTEGER PRIMARY KEY)"), Cancellation);
        return database;
    }
}
