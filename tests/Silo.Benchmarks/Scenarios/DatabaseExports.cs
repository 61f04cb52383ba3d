using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// A large organization leaves as a file: alone, and beside all the writes that one client can do, which are held while the copy keeps the
/// WAL from being reset. What those writes notice is what an export costs.
/// </summary>
internal sealed class DatabaseExports(BenchmarkRun run)
{
    private const int Rows = 1_000_000;
    private const int Imports = 3;
    private const int Exports = 3;
    private const string Organization = "exported";
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Limitless = TimeSpan.FromMinutes(10);

    // The bucket must not be what slows the writes here.
    private static readonly string[] Settings = ["Litestream:MaxLagBytes=17179869184", "Exports:KeepFreeBytes=0"];

    private uint _seed = 99;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var silo = await run.StartSiloAsync(cancellationToken, Settings);
        using var calls = new OperatorCalls(silo, run.Tokens);
        using var http = new HttpClient { BaseAddress = silo.Url, Timeout = Limitless };
        await calls.CreateOrganizationAsync(Organization, cancellationToken);
        for (var i = 0; i < Imports; i++) await ImportAsync(http, string.Create(CultureInfo.InvariantCulture, $"e{i}-"), cancellationToken);
        await calls.WaitReplicatedAsync(Organization, cancellationToken);

        run.Say("alone");
        var before = await WriteAsync(silo, Quiet, cancellationToken);
        for (var i = 0; i < Exports; i++) Report($"export {i + 1}, alone", await ExportAsync(http, cancellationToken), null);
        run.Say("beside writes");
        Report("writes, alone", null, before);
        for (var i = 0; i < Exports; i++)
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var writing = WriteAsync(silo, Timeout.InfiniteTimeSpan, over.Token);
            await WaitAsync(TimeSpan.FromSeconds(3), cancellationToken);
            var exported = await ExportAsync(http, cancellationToken);
            await WaitAsync(TimeSpan.FromSeconds(3), cancellationToken);
            await over.CancelAsync();
            Report($"export {i + 1}, beside writes{(exported is null ? ": given up" : "")}", exported, await writing);
            await calls.WaitReplicatedAsync(Organization, cancellationToken);
        }
    }

    private void Report(string name, Exported? exported, LoadResult? written)
    {
        var measured = new Measurement(name, "");
        if (exported is { } done)
        {
            measured.With("MB", done.Bytes / 1e6).With("s to the first byte", done.FirstByte.TotalSeconds, null, Limit.AtMost(15))
                .With("MB/s from there", done.Bytes / 1e6 / done.Rest.TotalSeconds, null, Limit.AtLeast(50));
        }
        if (written is not null)
        {
            measured.With("p50 ms of writes", written.Latencies.Median).With("p99 ms of writes", written.Latencies.Percentile(99))
                .With("max ms of writes", written.Latencies.Max, null, Limit.AtMost(7_000)).With("writes/s", written.Rate).With("writes refused", written.Errors);
        }
        run.Report.Add(measured);
    }

    private Task<LoadResult> WriteAsync(ServedProcess silo, TimeSpan time, CancellationToken over)
    {
        var head = new ContactRequests(silo.Url, run.Tokens.Member(Organization)).InsertHead();
        return new ClosedLoop(silo.Url, 1).RunAsync(new Until(new InsertRequests([head], ++_seed), over), time, CancellationToken.None);
    }

    /// <summary>Null when it was given up for the writes' sake.</summary>
    private async Task<Exported?> ExportAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/admin/organizations/{Organization}/export") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", run.Tokens.Admin) } };
        var begun = TimeProvider.System.GetTimestamp();
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (answer.StatusCode == HttpStatusCode.TooManyRequests) return null;
        if (!answer.IsSuccessStatusCode) throw new BenchmarkException($"The export was refused: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
        var first = TimeProvider.System.GetElapsedTime(begun);
        await using var content = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[128 * 1024];
        long bytes = 0;
        for (int read; (read = await content.ReadAsync(buffer, cancellationToken)) > 0;) bytes += read;
        return new Exported(bytes, first, TimeProvider.System.GetElapsedTime(begun) - first);
    }

    private async Task ImportAsync(HttpClient http, string mark, CancellationToken cancellationToken)
    {
        var file = Path.Combine(Path.GetTempPath(), $"silo-export-{Guid.NewGuid():N}.csv");
        try
        {
            ContactFile.Write(file, Rows, mark);
            await using var content = File.OpenRead(file);
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/contacts/bulk-import") { Content = new StreamContent(content) };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", run.Tokens.Member(Organization));
            request.Headers.Add("Prefer", "wait=60");
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("text/csv");
            using var answer = await http.SendAsync(request, cancellationToken);
            if ((int)answer.StatusCode != 200) throw new BenchmarkException($"The import did not end in time: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task WaitAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(time, TimeProvider.System);
        await timer.WaitForNextTickAsync(cancellationToken);
    }

    private readonly record struct Exported(long Bytes, TimeSpan FirstByte, TimeSpan Rest);

    /// <summary>Requests until it is over.</summary>
    private sealed class Until(IRequestSource requests, CancellationToken over) : IRequestSource
    {
        public ReadOnlyMemory<byte> Next(int connection) => over.IsCancellationRequested ? default : requests.Next(connection);
    }
}
