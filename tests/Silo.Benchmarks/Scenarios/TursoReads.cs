using System.Globalization;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;
using Silo.Contracts;
using Silo.LibSql;
using Silo.Storage.Turso;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// What the client of Turso adds to the server: 50 contacts read with it, and with the same request sent by a plain HttpClient that
/// only takes the bytes. One takes turns with the other, request by request, on one connection each.
/// </summary>
internal sealed class TursoReads(BenchmarkRun run)
{
    private const string Organization = "turso";
    private const int Page = 50;
    private const int Many = 200_000;
    private const string List = "SELECT seq, id, name, email, phone, company, agent_id, created_at, updated_at, notes FROM contacts ORDER BY seq DESC LIMIT ?";
    private const string Request = """{"requests":[{"type":"execute","stmt":{"sql":"SQL","args":[{"type":"integer","value":"50"}]}},{"type":"close"}]}""";
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        run.Say("starting sqld");
        await using var sqld = await Sqld.StartAsync(authenticated: false, cancellationToken);
        var url = await sqld.CreateAsync(Organization, cancellationToken);
        using var client = new TursoClient(Options.Create(new TursoOptions()), TimeProvider.System, NullLogger<TursoClient>.Instance);
        var database = client.Open(OrganizationId.Parse(Organization), TursoAddress.Parse(url.ToString()));
        await SeedAsync(database, cancellationToken);
        await CompareAsync(sqld, url, database, cancellationToken);
        await StreamAsync(sqld, database, cancellationToken);
    }

    private async Task CompareAsync(Sqld sqld, Uri url, TursoDatabase database, CancellationToken cancellationToken)
    {
        run.Say($"list of {Page}");
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var body = System.Text.Encoding.UTF8.GetBytes(Request.Replace("SQL", List, StringComparison.Ordinal));
        var pipeline = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{url.Port}/v3/pipeline"));
        await AlternateAsync(WarmUp);
        var use = ProcessorUse.Of(sqld.Pid);
        var (ours, direct) = await AlternateAsync(TimeSpan.FromSeconds(run.Settings.Seconds * run.Settings.Rounds));
        var share = use.End();
        run.Report.Add(new Measurement($"turso: list of {Page}, 1 connection", "ms") { OtherCores = share.OtherCores + share.StealCores }
            .With("p50", ours.Median, direct.Median)
            .With("p99", ours.Percentile(99), direct.Percentile(99))
            .With("p50 more than a plain HttpClient", ours.Median - direct.Median, limit: Limit.AtMost(1))
            .With("number of reads", ours.Count, direct.Count));

        async Task<(Latencies Ours, Latencies Direct)> AlternateAsync(TimeSpan time)
        {
            var (ours, direct) = (new List<double>(), new List<double>());
            var begun = TimeProvider.System.GetTimestamp();
            while (TimeProvider.System.GetElapsedTime(begun) < time)
            {
                direct.Add(await TimeAsync(DirectAsync));
                ours.Add(await TimeAsync(OursAsync));
            }
            return (new Latencies(ours), new Latencies(direct));
        }

        async Task OursAsync()
        {
            var page = await database.QueryAsync(new TursoStatement(List, Page), cancellationToken);
            if (page.Rows.Count != Page) throw new BenchmarkException($"The client read {page.Rows.Count} contacts.");
        }

        async Task DirectAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, pipeline)
            {
                Headers = { Host = url.Authority },
                Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
            };
            using var answer = await http.SendAsync(request, cancellationToken);
            var bytes = await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync(cancellationToken);
            if (bytes.AsSpan().IndexOf("\"type\":\"error\""u8) >= 0) throw new BenchmarkException("The server refused the plain request.");
        }

        static async Task<double> TimeAsync(Func<Task> work)
        {
            var begun = TimeProvider.System.GetTimestamp();
            await work();
            return TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds;
        }
    }

    /// <summary>How fast a cursor gives the rows of a table, and what it keeps of them.</summary>
    private async Task StreamAsync(Sqld sqld, TursoDatabase database, CancellationToken cancellationToken)
    {
        run.Say($"{Many} rows by a cursor");
        var statement = new TursoStatement("SELECT a.* FROM contacts a, (SELECT seq FROM contacts LIMIT ?) b LIMIT ?", Many / run.Settings.Contacts + 1, Many);
        var use = ProcessorUse.Of(sqld.Pid);
        var begun = TimeProvider.System.GetTimestamp();
        long rows = 0, most = 0;
        await using var cursor = await database.OpenCursorAsync(statement, cancellationToken);
        await foreach (var _ in cursor.ReadAllAsync(cancellationToken))
        {
            if (++rows % 10_000 == 0) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
        }
        var seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds;
        var share = use.End();
        run.Report.Add(new Measurement("turso: cursor over contacts", "") { OtherCores = share.OtherCores + share.StealCores }
            .With("rows/s", rows / seconds)
            .With("rows", rows)
            .With("most memory in use MB", most / 1e6));
    }

    private async Task SeedAsync(TursoDatabase database, CancellationToken cancellationToken)
    {
        await database.ExecuteScriptAsync(
            """
            CREATE TABLE contacts (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, email TEXT, phone TEXT, company TEXT, agent_id TEXT,
              created_at TEXT NOT NULL, updated_at TEXT NOT NULL, notes TEXT)
            """, cancellationToken);
        var samples = new ContactSamples(1);
        foreach (var part in Enumerable.Range(0, run.Settings.Contacts).Chunk(500))
        {
            await database.ExecuteAllAsync([.. part.Select(i =>
            {
                var contact = samples.Next(i.ToString(CultureInfo.InvariantCulture));
                return new TursoStatement(
                    "INSERT INTO contacts (id, name, email, phone, company, created_at, updated_at, notes) VALUES (?, ?, ?, ?, ?, ?6, ?6, ?7)",
                    $"{i:x32}", contact.Name, contact.Email, contact.Phone, contact.Company, "2026-11-27T00:00:00.000Z", contact.Notes);
            })], cancellationToken);
        }
    }
}
