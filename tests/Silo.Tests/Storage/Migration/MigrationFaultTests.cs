using System.Net;
using Silo.LibSql;
using Silo.Storage.Migration;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Migration;

/// <summary>Servers that fail while an organization is copied.</summary>
public sealed class MigrationFaultTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private const string Script = """
        CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT);
        CREATE TABLE k (k TEXT, l INTEGER, v TEXT, PRIMARY KEY (l, k)) WITHOUT ROWID;
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000) INSERT INTO t SELECT n, printf('%.50c', 'x') FROM n;
        INSERT INTO k SELECT 'k' || n, n % 50, v FROM t;
        """;

    private readonly MigrationBench _bench = new();

    private static CancellationToken Cancellation => MigrationBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Server_ThatBreaksOffAndRefusesAgainAndAgain_IsReadOnFromThere()
    {
        var real = await _bench.CreateAsync(fixture.Sqld, Script);
        using var faulty = new FaultySqld(fixture.Sqld.UrlOf(real.Organization.Value));
        var source = _bench.Turso.Open(await _bench.Turso.ServeAsync(faulty.AnswerAsync));
        using var migration = _bench.Begin(source);
        for (var i = 0; i < 12; i++)
        {
            faulty.Cut(4096 + (i * 3000), 1);
            faulty.Answer(i % 3 == 0 ? HttpStatusCode.TooManyRequests : HttpStatusCode.InternalServerError, 2);
        }
        await migration.CopyAsync(null, Cancellation);
        for (var i = 0; i < 6; i++) faulty.Cut(20_000, 1);
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        for (var i = 0; i < 6; i++) faulty.Cut(30_000, 1);
        Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
        Assert.Equal(0, faulty.Left);
    }

    [Theory]
    [InlineData(HttpStatusCode.InternalServerError, TursoFailure.Unavailable)]
    [InlineData(HttpStatusCode.TooManyRequests, TursoFailure.Overloaded)]
    [InlineData(HttpStatusCode.Unauthorized, TursoFailure.Unauthorized)]
    public async Task Server_ThatKeepsRefusing_EndsTheCopyWithItsReasonAndTheNextOneIsWhole(HttpStatusCode status, TursoFailure failure)
    {
        var real = await _bench.CreateAsync(fixture.Sqld, Script);
        using var faulty = new FaultySqld(fixture.Sqld.UrlOf(real.Organization.Value));
        var source = _bench.Turso.Open(await _bench.Turso.ServeAsync(faulty.AnswerAsync), options => options.Retries = 1);
        using var migration = _bench.Begin(source);
        var hasFailed = false;
        void Fail(MigrationProgress at)
        {
            if (hasFailed || at.Rows < 500) return;
            hasFailed = true;
            faulty.Cut(1, 1);
            faulty.Answer(status, 100);
        }
        var thrown = await Assert.ThrowsAsync<TursoException>(() => migration.CopyAsync(at => { Fail(at); }, Cancellation));
        Assert.Equal(failure, thrown.Failure);
        using var fine = _bench.Begin(real, "fine");
        await fine.CopyAsync(null, Cancellation);
        await fine.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.True((await fine.VerifyAsync(null, Cancellation)).IsSame);
    }

    [Fact]
    public async Task Server_ThatIsKilledAndStartedAgainInTheMiddle_IsReadOnFromThere()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: false, Cancellation);
        var source = await _bench.CreateAsync(sqld, Script.Replace("2000", "60000", StringComparison.Ordinal));
        (_bench.Options.ChunkRows, _bench.Options.ChunkBytes, _bench.Options.MaxReadFailures) = (1000, 1024 * 1024, 100);
        using var migration = _bench.Begin(source);
        Task? restart = null;
        await migration.CopyAsync(
            at =>
            {
                if (at.Rows >= 3000) restart ??= sqld.RestartAsync(Cancellation);
            },
            Cancellation);
        await restart!;
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
    }

    [Fact]
    public async Task Server_ThatIsDown_IsTheReasonThatThePreflightGives()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: false, Cancellation);
        var source = await _bench.CreateAsync(sqld, Script);
        await sqld.KillAsync();
        var failure = await Assert.ThrowsAsync<TursoException>(() => _bench.Begin(source).InspectAsync(Cancellation));
        Assert.Equal((TursoFailure.Unreachable, true), (failure.Failure, failure.IsTransient));
    }
}
