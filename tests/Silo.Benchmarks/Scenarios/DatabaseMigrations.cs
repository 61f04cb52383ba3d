using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;
using Silo.Contracts;
using Silo.LibSql;
using Silo.Storage.Migration;
using Silo.Storage.Turso;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// How fast databases come from Turso into SQLite, and with how much memory: one of 1,000,000 rows; one of 100,000 contacts, of which the
/// steps that a freeze has to wait for are told; 100 of 1,000 contacts, four at a time. First the engine alone, without a bucket and a
/// catalog; then the whole way through the API of a standalone host.
/// </summary>
internal sealed class DatabaseMigrations(BenchmarkRun run)
{
    private const int Large = 1_000_000, Contacts = 100_000, Fleet = 100, FleetContacts = 1_000, Parallel = 4;

    private static readonly MigrationOptions Options = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        run.Say("starting sqld");
        await using var sqld = await Sqld.StartAsync(authenticated: false, cancellationToken);
        using var client = new TursoClient(Microsoft.Extensions.Options.Options.Create(new TursoOptions()), TimeProvider.System, NullLogger<TursoClient>.Instance);
        var folder = Directory.CreateTempSubdirectory("silo-migrate-");
        try
        {
            await OneAsync(sqld, await SeedAsync(sqld, client, "large", Large, cancellationToken), folder, Large, cancellationToken);
            await OneAsync(sqld, await SeedAsync(sqld, client, "contacts", Contacts, cancellationToken), folder, Contacts, cancellationToken);
            await FleetAsync(sqld, client, folder, cancellationToken);
            await WholeWayAsync(sqld, cancellationToken);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task OneAsync(Sqld sqld, TursoDatabase source, DirectoryInfo folder, int rows, CancellationToken cancellationToken)
    {
        run.Say($"{rows} rows");
        using var migration = new DatabaseMigration(source, Path.Combine(folder.FullName, "copy.db"), Options, TimeProvider.System);
        GC.Collect();
        var before = Environment.WorkingSet;
        var most = before;
        void Look(MigrationProgress at)
        {
            if (at.Rows % 50_000 < Options.ChunkRows) most = Math.Max(most, Environment.WorkingSet);
        }
        double More() => (Math.Max(most, Environment.WorkingSet) - before) / 1e6;
        var use = ProcessorUse.Of(sqld.Pid);
        var copied = await TimeAsync(() => migration.CopyAsync(Look, cancellationToken));
        var caughtUp = await TimeAsync(() => migration.CatchUpAsync(isFrozen: true, Look, cancellationToken));
        var verified = await TimeAsync(async () =>
        {
            if (!(await migration.VerifyAsync(Look, cancellationToken)).IsSame) throw new BenchmarkException("The copy is not the same.");
        });
        var moreRead = More();
        var adopted = await TimeAsync(() => Task.Run(migration.Adopt, cancellationToken));
        var share = use.End();
        run.Report.Add(new Measurement(string.Create(CultureInfo.InvariantCulture, $"migrate: {rows} contacts"), "") { OtherCores = share.OtherCores + share.StealCores }
            .With("rows/s copied", rows / copied, limit: Limit.AtLeast(30_000))
            .With("s copying", copied)
            .With("s catching up, frozen", caughtUp)
            .With("s verifying, frozen", verified)
            .With("s adopting, frozen", adopted)
            .With("MB more before adopting", moreRead)
            .With("MB more", More(), limit: Limit.AtMost(200)));
    }

    private async Task FleetAsync(Sqld sqld, TursoClient client, DirectoryInfo folder, CancellationToken cancellationToken)
    {
        run.Say($"{Fleet} organizations");
        var sources = new List<TursoDatabase>();
        for (var i = 0; i < Fleet; i++) sources.Add(await SeedAsync(sqld, client, string.Create(CultureInfo.InvariantCulture, $"fleet-{i}"), FleetContacts, cancellationToken));
        var use = ProcessorUse.Of(sqld.Pid);
        var seconds = await TimeAsync(() => System.Threading.Tasks.Parallel.ForEachAsync(
            sources,
            new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = cancellationToken },
            async (source, token) =>
            {
                using var migration = new DatabaseMigration(source, Path.Combine(folder.FullName, $"{source.Organization}.db"), Options, TimeProvider.System);
                await migration.CopyAsync(null, token);
                await migration.CatchUpAsync(isFrozen: true, null, token);
                if (!(await migration.VerifyAsync(null, token)).IsSame) throw new BenchmarkException("A copy is not the same.");
                migration.Adopt();
            }));
        var share = use.End();
        run.Report.Add(new Measurement($"migrate: {Fleet} organizations, {Parallel} at a time, engine alone", "s") { OtherCores = share.OtherCores + share.StealCores }
            .With("seconds", seconds, limit: Limit.AtMost(180)));
    }

    /// <summary>The same databases, which the engine has only read.</summary>
    private async Task WholeWayAsync(Sqld sqld, CancellationToken cancellationToken)
    {
        run.Say("the whole way");
        await using var silo = await run.StartSiloAsync(cancellationToken);
        using var calls = new OperatorCalls(silo, run.Tokens);
        string[] fleet = [.. Enumerable.Range(0, Fleet).Select(i => string.Create(CultureInfo.InvariantCulture, $"fleet-{i}"))];
        foreach (var id in fleet.Append("contacts")) await calls.CreateOnTursoAsync(id, sqld.UrlOf(id), cancellationToken);
        var use = ProcessorUse.Of(silo.Pid);
        var report = await calls.MigrateAsync("contacts", cancellationToken);
        var frozen = new List<double>();
        var seconds = await TimeAsync(() => System.Threading.Tasks.Parallel.ForEachAsync(fleet, new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = cancellationToken }, async (id, token) =>
        {
            var done = (await calls.MigrateAsync(id, token)).GetProperty("frozenSeconds").GetDouble();
            lock (frozen) frozen.Add(done);
        }));
        var share = use.End();
        run.Report.Add(new Measurement($"migrate: {Fleet} organizations of {FleetContacts} contacts, {Parallel} at a time", "s") { OtherCores = share.OtherCores + share.StealCores }
            .With("seconds", seconds, limit: Limit.AtMost(180))
            .With("writes refused, longest", frozen.Max()));
        run.Report.Add(new Measurement(string.Create(CultureInfo.InvariantCulture, $"migrate: {Contacts} contacts"), "s") { OtherCores = share.OtherCores + share.StealCores }
            .With("copying, written to", report.GetProperty("copySeconds").GetDouble())
            .With("writes refused", report.GetProperty("frozenSeconds").GetDouble(), limit: Limit.AtMost(10)));
    }

    private static async Task<TursoDatabase> SeedAsync(Sqld sqld, TursoClient client, string name, int rows, CancellationToken cancellationToken)
    {
        var database = client.Open(OrganizationId.Parse(name), TursoAddress.Parse((await sqld.CreateAsync(name, cancellationToken)).ToString()));
        await database.ExecuteScriptAsync(
            """
            CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, company TEXT, agent_id TEXT, created_at TEXT, updated_at TEXT, notes TEXT);
            CREATE INDEX contacts_company ON contacts (company, name);
            """, cancellationToken);
        const int AtOnce = 20_000; // within the time of one request
        for (var from = 0; from < rows; from += AtOnce)
        {
            await database.ExecuteAsync(
                new TursoStatement(
                    """
                    WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
                    INSERT INTO contacts SELECT printf('%032x', n), 'Contact Number ' || n, 'contact' || n || '@example.org', '+4930' || n, 'Company ' || (n % 1000), NULL,
                      '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 'A note of some length about contact ' || n FROM n
                    """, from, Math.Min(from + AtOnce, rows)), cancellationToken);
        }
        return database;
    }

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        var begun = TimeProvider.System.GetTimestamp();
        await work();
        return TimeProvider.System.GetElapsedTime(begun).TotalSeconds;
    }
}
