using Silo.Storage.Migration;
using Silo.Storage.Turso;
using Silo.Tests.Storage.Turso;

namespace Silo.Tests.Storage.Migration;

public sealed class MigrationVerifierTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private const int Seed = 4711;
    private const int Injections = 220;
    private const int SourceInjections = 40;

    private readonly MigrationBench _bench = new();

    private static CancellationToken Cancellation => MigrationBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Verification_OfACopyWithAnyInjectedDifference_FindsIt()
    {
        var source = await _bench.Turso.CreateAsync(fixture.Sqld);
        await AwkwardDatabase.FillAsync(source, Cancellation);
        await source.ExecuteScriptAsync("DELETE FROM large WHERE n > 0", Cancellation);
        (_bench.Options.ChunkRows, _bench.Options.ChunkBytes) = (1000, 1024 * 1024);
        using (var migration = _bench.Begin(source, "template"))
        {
            await migration.CopyAsync(null, Cancellation);
            await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
            Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
        }

        var injection = new Injection(Seed);
        var verifier = new MigrationVerifier(source, _bench.Options, TimeProvider.System);
        var missed = new List<string>();
        for (var i = 0; i < Injections; i++)
        {
            File.Copy(_bench.PathOf("template"), _bench.PathOf("copy"), overwrite: true);
            using var copy = _bench.Open();
            var difference = injection.Into(copy);
            if ((await verifier.VerifyAsync(copy, null, Cancellation)).IsSame) missed.Add(difference);
        }
        Assert.Empty(missed);
        File.Copy(_bench.PathOf("template"), _bench.PathOf("copy"), overwrite: true);
        using var untouched = _bench.Open();
        Assert.True((await verifier.VerifyAsync(untouched, null, Cancellation)).IsSame);
    }

    /// <summary>The same on the other side; and the next pass makes it good again, whatever it was.</summary>
    [Fact]
    public async Task Verification_AfterAnyChangeOfTheSource_FindsItAndCatchingUpMendsIt()
    {
        var source = await _bench.CreateAsync(fixture.Sqld, """
            CREATE TABLE a (n INTEGER PRIMARY KEY, v UNIQUE);
            CREATE TABLE b (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
            CREATE TABLE c (v);
            WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60) INSERT INTO a SELECT n, n * 10 FROM n;
            INSERT INTO b SELECT 'k' || n, v FROM a;
            INSERT INTO c SELECT v FROM a;
            """);
        using var migration = _bench.Begin(source);
        await migration.CopyAsync(null, Cancellation);
        await migration.CatchUpAsync(isFrozen: true, null, Cancellation);
        var random = new Random(Seed);
        for (var i = 0; i < SourceInjections; i++)
        {
            var table = "abc"[random.Next(3)];
            TursoValue at = random.NextInt64(60);
            var sql = random.Next(6) switch
            {
                0 => $"DELETE FROM {table} WHERE v = (SELECT v FROM {table} LIMIT 1 OFFSET ?1 % (SELECT count(*) FROM {table}))",
                1 => $"INSERT INTO a SELECT max(n) + 1 + ?1, 1000 + {i} FROM a",
                2 => $"INSERT INTO b VALUES ('m' || ?1 || 'x{i}', 0)",
                3 => $"UPDATE {table} SET v = CAST(v AS REAL) || '{i}' WHERE v = (SELECT v FROM {table} LIMIT 1 OFFSET ?1 % (SELECT count(*) FROM {table}))",
                4 => $"UPDATE c SET rowid = 1000 + {i} WHERE rowid = (SELECT rowid FROM c LIMIT 1 OFFSET ?1 % (SELECT count(*) FROM c))",
                _ => $"UPDATE a SET n = 100000 + {i} WHERE n = (SELECT n FROM a LIMIT 1 OFFSET ?1 % (SELECT count(*) FROM a))",
            };
            Assert.InRange((await source.ExecuteAsync(new TursoStatement(sql, at), Cancellation)).AffectedRows, 1, 100);
            Assert.False((await migration.VerifyAsync(null, Cancellation)).IsSame, sql);
            Assert.Single((await migration.CatchUpAsync(isFrozen: true, null, Cancellation)).ChangedTables);
            Assert.Empty((await migration.VerifyAsync(null, Cancellation)).Differences);
        }
    }
}
