using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.Playwright;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;
using Silo.SystemTests.Machines;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// The page of database health with many active databases: how soon a browser shows it, how long the server takes for what the page asks
/// again and again, and what it costs while it stays open.
/// </summary>
/// <remarks>
/// What an open page costs is percent of one core, of the server and of the browser apart: the first is paid where the databases are, for
/// each operator who looks; the second on that operator's machine. The server's is the CPU time of what the page asks, from many calls in
/// a row, at the rate at which it asks. A minute with the page less one without is shown beside it: leases and uploads of so many
/// databases vary by more than a page costs.
/// </remarks>
internal sealed class AdminPages(BenchmarkRun run)
{
    private const int Organizations = 300;
    private const int Loads = 7;
    private const int Calls = 500;
    private const string Databases = "/api/admin/databases";
    private const string Migrations = "/api/admin/migrations?limit=500";
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(60);

    /// <summary>When as many rows are on the screen as there are databases, on the page's clock.</summary>
    private const string WhenShown = """
        globalThis.shown = new Promise(resolve => new MutationObserver((_, observer) => {
          if (document.querySelectorAll('#rows .row').length < {count}) return;
          observer.disconnect();
          requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
        }).observe(document, { childList: true, subtree: true }));
        """;

    private sealed record Spent(ProcessorShare Server, ProcessorShare Browser);

    private sealed record Call(string Path, Latencies Latencies, double CpuMs, int Bytes);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var count = run.Settings.Organizations ?? Organizations;
        await new Seeding(run).EnsureAsync(count, cancellationToken);
        await using var silo = await run.StartSiloAsync(cancellationToken);
        run.Say($"activating {count} organizations");
        await new ActiveMembers(silo, run).ReadAsync(0, count, cancellationToken);
        var name = string.Create(CultureInfo.InvariantCulture, $"/admin with {count} active databases");
        await using var browser = await Browser.StartAsync();
        run.Report.Add(await LoadAsync(name, browser, silo, count));

        var blank = await browser.OpenAsync();
        run.Say($"{Watched.TotalSeconds:0} s without the page");
        var without = await WatchAsync(silo, cancellationToken);
        await blank.Context.CloseAsync();
        var refresh = Measure(silo, Databases, without.Server);
        run.Report.Add(new Measurement($"{name}: one refresh", "ms") { OtherCores = without.Server.OtherCores }
            .With("p50", refresh.Latencies.Median)
            .With("p99", refresh.Latencies.Percentile(99), null, Limit.AtMost(100))
            .With("CPU of the server", refresh.CpuMs)
            .With("KiB of the answer", refresh.Bytes / 1024.0));

        Call[] calls = [refresh, Measure(silo, Migrations, without.Server)];
        var page = await GoAsync(browser, silo, count);
        await page.EvaluateAsync<double>("shown");
        await WaitAsync(Settle, cancellationToken);
        var asked = new ConcurrentQueue<string>();
        page.Request += (_, request) => asked.Enqueue(request.Url);
        run.Say($"{Watched.TotalSeconds:0} s with the page");
        var with = await WatchAsync(silo, cancellationToken);
        run.Report.Add(new Measurement($"{name}: one open page, {Watched.TotalSeconds:0} s", "% of a core") { OtherCores = Math.Max(without.Server.OtherCores, with.Server.OtherCores) }
            .With("server, by what is asked", calls.Sum(call => call.CpuMs * CountOf(call)) / Watched.TotalMilliseconds * 100, null, Limit.AtMost(1))
            .With("server, with the page less without", 100 * (with.Server.Cores - without.Server.Cores))
            .With("browser, with the page less without", 100 * (with.Browser.Cores - without.Browser.Cores), null, Limit.AtMost(1))
            .With("number of refreshes", CountOf(refresh)));

        int CountOf(Call call) => asked.Count(url => url.EndsWith(call.Path, StringComparison.Ordinal));
    }

    /// <summary>Each time as somebody who has signed in and was never there: nothing is in the browser's cache.</summary>
    private async Task<Measurement> LoadAsync(string name, Browser browser, ServedProcess silo, int count)
    {
        run.Say($"loading the page {Loads} times");
        var (paints, rows) = (new List<double>(), new List<double>());
        for (var load = 0; load <= Loads; load++)
        {
            var page = await GoAsync(browser, silo, count);
            var shown = await page.EvaluateAsync<double>("shown");
            var painted = await page.EvaluateAsync<double>("performance.getEntriesByName('first-contentful-paint')[0].startTime");
            await page.Context.CloseAsync();
            // The first one is not counted: it compiles the server's code.
            if (load == 0) continue;
            paints.Add(painted);
            rows.Add(shown);
        }
        return new Measurement($"{name}: shown, {Loads} loads", "ms")
            .With("first paint, p50", new Latencies(paints).Median)
            .With("first paint, slowest", paints.Max(), null, Limit.AtMost(1_000))
            .With("all rows, p50", new Latencies(rows).Median)
            .With("all rows, slowest", rows.Max());
    }

    private async Task<IPage> GoAsync(Browser browser, ServedProcess silo, int count)
    {
        var page = (await browser.OpenAsync()).Page;
        await page.AddInitScriptAsync(WhenShown.Replace("{count}", count.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        await page.Context.AddCookiesAsync([new() { Name = "silo-admin", Value = run.Tokens.Admin, Url = silo.Url.ToString() }]);
        await page.GotoAsync(new Uri(silo.Url, "/admin").ToString());
        return page;
    }

    /// <summary>Asks what the page asks, as it does, many times in a row.</summary>
    private Call Measure(ServedProcess silo, string path, ProcessorShare without)
    {
        var request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {silo.Url.Authority}\r\nCookie: silo-admin={run.Tokens.Admin}\r\nSilo-Admin: 1\r\n\r\n");
        using var connection = new LoadConnection(silo.Url);
        for (var i = 0; i < Calls; i++) Ask();
        var use = ProcessorUse.OfOne(silo.Pid);
        var begun = TimeProvider.System.GetTimestamp();
        var latencies = new Latencies(Enumerable.Range(0, Calls).Select(_ => Ask()));
        var elapsed = TimeProvider.System.GetElapsedTime(begun);
        return new Call(path, latencies, (use.End().Time.TotalMilliseconds - (without.Cores * elapsed.TotalMilliseconds)) / Calls, connection.Answer.Length);

        double Ask()
        {
            var time = connection.Exchange(request).TotalMilliseconds;
            return connection.Answer.IsSuccess ? time : throw new BenchmarkException($"{path} was refused:\n{connection.Answer}");
        }
    }

    private static async Task<Spent> WatchAsync(ServedProcess silo, CancellationToken cancellationToken)
    {
        var chromium = ProcessTree.Of(Environment.ProcessId).Processes.First(process => process.Command == "chromium").Pid;
        var (server, browser) = (ProcessorUse.OfOne(silo.Pid), ProcessorUse.Of(chromium));
        await WaitAsync(Watched, cancellationToken);
        return new Spent(server.End(), browser.End());
    }

    private static async Task WaitAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(time, TimeProvider.System);
        await timer.WaitForNextTickAsync(cancellationToken);
    }
}
