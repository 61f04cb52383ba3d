using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

public sealed class TursoBatchTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private readonly TursoBench _bench = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Steps_WithConditions_AreExecutedWhereTheseHold()
    {
        var database = await TableAsync();
        TursoBatchStep[] steps =
        [
            new(Insert(1)),                                                                                                   // 0 ok
            new(Insert(1)),                                                                                                   // 1 fails
            new(Insert(2), TursoCondition.Ok(0)),                                                                             // 2 ok
            new(Insert(3), TursoCondition.Ok(1)),                                                                             // 3 skipped
            new(Insert(4), TursoCondition.Error(1)),                                                                          // 4 ok
            new(Insert(5), TursoCondition.Error(3)),                                                                          // 5 ok: what was skipped counts as failed
            new(Insert(6), TursoCondition.Not(TursoCondition.Ok(3))),                                                         // 6 ok
            new(Insert(7), TursoCondition.All(TursoCondition.Ok(0), TursoCondition.Any(TursoCondition.Ok(1), TursoCondition.Ok(2)))), // 7 ok
            new(Insert(8), TursoCondition.Any()),                                                                             // 8 skipped
            new(Insert(9), TursoCondition.All()),                                                                             // 9 ok
            new(new TursoStatement("BEGIN"), TursoCondition.IsAutocommit),                                                    // 10 ok
            new(Insert(10), TursoCondition.IsAutocommit),                                                                     // 11 skipped
            new(new TursoStatement("COMMIT"), TursoCondition.Not(TursoCondition.IsAutocommit)),                               // 12 ok
        ];
        var results = await database.BatchAsync(steps, Cancellation);
        Assert.Equal("ok,error,ok,skipped,ok,ok,ok,ok,skipped,ok,ok,skipped,ok", string.Join(',', results.Select(step => step.IsSkipped ? "skipped" : step.Error is null ? "ok" : "error")));
        Assert.Equal(("SQLITE_CONSTRAINT", TursoFailure.Refused), (results[1].Error!.Code, results[1].Error!.Failure));
        Assert.Equal([1, 2, 4, 5, 6, 7, 9], await ReadAsync(database));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task Condition_OnAStepThatDoesNotComeBefore_IsAMistake(int step)
    {
        var database = await TableAsync();
        TursoBatchStep[] steps = [new(Insert(1), step < 0 ? TursoCondition.Not(TursoCondition.All(TursoCondition.Ok(0))) : TursoCondition.Ok(step))];
        await Assert.ThrowsAsync<ArgumentException>(() => database.BatchAsync(steps, Cancellation));
        Assert.Empty(await ReadAsync(database));
    }

    [Fact]
    public async Task Statements_ExecutedTogether_AreAllDoneOrNone()
    {
        var database = await TableAsync();
        var results = await database.ExecuteAllAsync([Insert(1), new TursoStatement("SELECT count(*) FROM t"), Insert(2)], Cancellation);
        Assert.Equal([0L, 1L, 0L], results.Select(result => result.Rows is [[var count]] ? count.AsInteger() : 0));
        var refused = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAllAsync([Insert(3), Insert(1), Insert(4)], Cancellation));
        Assert.Equal(("SQLITE_CONSTRAINT", false), (refused.Code, refused.MayHaveExecuted));
        Assert.Equal([1, 2], await ReadAsync(database));
        Assert.Empty(await database.ExecuteAllAsync([], Cancellation));
    }

    [Fact]
    public async Task Statements_ThatFailAtTheCommit_AreUndone()
    {
        var database = await TableAsync();
        await database.ExecuteScriptAsync("CREATE TABLE c (a REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)", Cancellation);
        var refused = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAllAsync([Insert(3), new TursoStatement("INSERT INTO c VALUES (99)")], Cancellation));
        Assert.Equal("SQLITE_CONSTRAINT", refused.Code);
        Assert.Empty(await ReadAsync(database));
    }

    [Fact]
    public async Task Script_WithAFailure_EndsThere()
    {
        var database = await TableAsync();
        await database.ExecuteScriptAsync("INSERT INTO t VALUES (1); -- a comment; with a semicolon\nINSERT INTO t VALUES (2);", Cancellation);
        Assert.Equal("SQLITE_CONSTRAINT", (await Assert.ThrowsAsync<TursoException>(() => database.ExecuteScriptAsync("INSERT INTO t VALUES (3); INSERT INTO t VALUES (1); INSERT INTO t VALUES (4)", Cancellation))).Code);
        Assert.Equal([1, 2, 3], await ReadAsync(database));
    }

    [Fact]
    public async Task Statement_ThatIsRefused_SaysWhoseWhatWhyAndTheServersCode()
    {
        var database = await TableAsync();
        await database.ExecuteAsync(Insert(1), Cancellation);
        var refused = await Assert.ThrowsAsync<TursoException>(() => database.ExecuteAsync(Insert(1), Cancellation));
        Assert.Equal(
            $"Cannot execute a statement in the Turso database of {database.Organization} ({database.Address}): SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.a. The request was refused as it stands.",
            refused.Message);
        Assert.Equal("SQL_MANY_STATEMENTS", (await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(new TursoStatement("SELECT 1; SELECT 2"), Cancellation))).Code);
        Assert.Equal("ARGS_INVALID", (await Assert.ThrowsAsync<TursoException>(() => database.QueryAsync(new TursoStatement("SELECT ?, ?", 1), Cancellation))).Code);
    }

    private static TursoStatement Insert(long a) => new("INSERT INTO t VALUES (?)", a);

    private static async Task<IEnumerable<long>> ReadAsync(TursoDatabase database) =>
        (await database.QueryAsync(new TursoStatement("SELECT a FROM t ORDER BY a"), Cancellation)).Rows.Select(row => row[0].AsInteger());

    private async Task<TursoDatabase> TableAsync()
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        await database.ExecuteAsync(new TursoStatement("CREATE TABLE t (a INTEGER PRIMARY KEY)"), Cancellation);
        return database;
    }
}
