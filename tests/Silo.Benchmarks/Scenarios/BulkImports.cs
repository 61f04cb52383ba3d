using System.Net.Http.Headers;
using System.Text.Json;
using Silo.Benchmarks.Data;
using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;
using Silo.Benchmarks.Reporting;

namespace Silo.Benchmarks.Scenarios;

/// <summary>
/// A million contacts into one organization, the same million again over themselves, and ten contacts; with what people who read
/// meanwhile notice, in this organization and in another one.
/// </summary>
internal sealed class BulkImports(BenchmarkRun run)
{
    private const int Rows = 1_000_000;
    private const int FewRows = 10;
    private const int FewImports = 10;
    private const string Organization = "imported";
    private const string Other = "bystander";
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ReadInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>Between small imports: one comes when nothing was written for a while.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(3.3);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Limitless = TimeSpan.FromMinutes(10);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var file = Path.Combine(Path.GetTempPath(), $"silo-import-{Guid.NewGuid():N}.csv");
        try
        {
            ContactFile.Write(file, Rows, "m");
            await using var silo = await run.StartSiloAsync(cancellationToken);
            using var calls = new OperatorCalls(silo, run.Tokens);
            using var http = new HttpClient { BaseAddress = silo.Url, Timeout = Limitless };
            foreach (var organization in (string[])[Organization, Other])
            {
                await calls.CreateOrganizationAsync(organization, cancellationToken);
                await ImportFewAsync(http, organization, "warm", cancellationToken);
            }
            await ImportOftenAsync(http, cancellationToken);
            await MeasureAsync(silo, http, file, "1,000,000 contacts as CSV", "", Limit.AtLeast(80_000), cancellationToken);
            await calls.WaitReplicatedAsync(Organization, cancellationToken);
            await MeasureAsync(silo, http, file, "the same again, overwriteExisting", "?overwriteExisting=true", Limit.AtLeast(50_000), cancellationToken);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private async Task MeasureAsync(ServedProcess silo, HttpClient http, string file, string name, string query, Limit rate, CancellationToken cancellationToken)
    {
        run.Say(name);
        var (own, other) = (new PacedReads(silo, run.Tokens.Member(Organization)), new PacedReads(silo, run.Tokens.Member(Other)));
        var quiet = await WhileAsync(own, other, timed => WaitAsync(Quiet, timed), cancellationToken);
        var memory = new PeakMemory(silo.Pid);
        var use = ProcessorUse.Of(silo.Pid);
        JsonElement done = default;
        var busy = await WhileAsync(own, other, async timed =>
        {
            await using var content = File.OpenRead(file);
            done = await ImportAsync(http, Organization, content, query, timed);
        }, cancellationToken);
        var share = use.End();
        var (grown, grownAlone) = await memory.EndAsync();
        var (started, merged, finished) = (Time(done, "startedAt"), Time(done, "mergedAt"), Time(done, "finishedAt"));
        run.Report.Add(new Measurement(name, "") { OtherCores = share.OtherCores + share.StealCores }
            .With("rows/s to merged", done.GetProperty("total").GetInt64() / (merged - started).TotalSeconds, null, rate)
            .With("s to merged", (merged - started).TotalSeconds)
            .With("s from merged to completed", (finished - merged).TotalSeconds, null, Limit.AtMost(3))
            .With("MB more memory at its peak, with Litestream", grown, null, Limit.AtMost(150))
            .With("MB more memory at its peak, the service alone", grownAlone)
            .With("p99 ms of reads before", quiet.Own.Percentile(99))
            .With("p99 ms of reads", busy.Own.Percentile(99), null, Limit.AtMost(50))
            .With("p99 ms of another organization's before", quiet.Other.Percentile(99))
            .With("p99 ms of another organization's", busy.Other.Percentile(99))
            .With("max ms of reads", busy.Own.Max));
    }

    private async Task ImportOftenAsync(HttpClient http, CancellationToken cancellationToken)
    {
        run.Say($"{FewRows} contacts, {FewImports} times");
        List<double> merged = [], completed = [];
        for (var i = 0; i < FewImports; i++)
        {
            await WaitAsync(Pause, cancellationToken);
            var done = await ImportFewAsync(http, Organization, $"few{i}", cancellationToken);
            merged.Add((Time(done, "mergedAt") - Time(done, "startedAt")).TotalMilliseconds);
            completed.Add((Time(done, "finishedAt") - Time(done, "startedAt")).TotalMilliseconds);
        }
        run.Report.Add(new Measurement($"{FewRows} contacts as CSV", "ms")
            .With("to merged p50", new Latencies(merged).Median, null, Limit.AtMost(30))
            .With("to merged max", new Latencies(merged).Max)
            .With("to completed p50", new Latencies(completed).Median, null, Limit.AtMost(1_500))
            .With("to completed max", new Latencies(completed).Max));
    }

    private async Task<JsonElement> ImportFewAsync(HttpClient http, string organization, string mark, CancellationToken cancellationToken)
    {
        var file = Path.Combine(Path.GetTempPath(), $"silo-import-{Guid.NewGuid():N}.csv");
        try
        {
            ContactFile.Write(file, FewRows, mark);
            await using var content = File.OpenRead(file);
            return await ImportAsync(http, organization, content, "", cancellationToken);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private async Task<JsonElement> ImportAsync(HttpClient http, string organization, Stream content, string query, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/contacts/bulk-import" + query) { Content = new StreamContent(content) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("text/csv");
        var status = await SendAsync(http, request, organization, cancellationToken);
        using var timer = new PeriodicTimer(Poll, TimeProvider.System);
        while (status.GetProperty("state").GetString() is "queued" or "running")
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            using var look = new HttpRequestMessage(HttpMethod.Get, $"/api/imports/{status.GetProperty("id").GetString()}");
            status = await SendAsync(http, look, organization, cancellationToken);
        }
        return status.GetProperty("state").GetString() == "completed" ? status : throw new BenchmarkException($"The import failed:\n{status}");
    }

    private async Task<JsonElement> SendAsync(HttpClient http, HttpRequestMessage request, string organization, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", run.Tokens.Member(organization));
        using var answer = await http.SendAsync(request, cancellationToken);
        return answer.IsSuccessStatusCode
            ? await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken)
            : throw new BenchmarkException($"{request.Method} {request.RequestUri} answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
    }

    private static async Task WaitAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(time, TimeProvider.System);
        await timer.WaitForNextTickAsync(cancellationToken);
    }

    private static DateTimeOffset Time(JsonElement status, string property) => status.GetProperty(property).GetDateTimeOffset();

    private static async Task<(Latencies Own, Latencies Other)> WhileAsync(PacedReads own, PacedReads other, Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = (own.RunAsync(ReadInterval, over.Token), other.RunAsync(ReadInterval, over.Token));
        try
        {
            await work(cancellationToken);
        }
        finally
        {
            await over.CancelAsync();
        }
        return (await reading.Item1, await reading.Item2);
    }

    /// <summary>One reader who asks for the newest contacts at a steady pace.</summary>
    private sealed class PacedReads(ServedProcess silo, string token)
    {
        private readonly byte[] _list = new ContactRequests(silo.Url, token).List(50);

        public Task<Latencies> RunAsync(TimeSpan interval, CancellationToken over) => Task.Factory.StartNew(
            () =>
            {
                using var connection = new LoadConnection(silo.Url);
                var samples = new List<double>();
                while (!over.IsCancellationRequested)
                {
                    var begun = TimeProvider.System.GetTimestamp();
                    connection.Exchange(_list);
                    samples.Add(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds);
                    if (!connection.Answer.IsSuccess) throw new BenchmarkException($"A read was refused:\n{connection.Answer}");
                    over.WaitHandle.WaitOne(interval);
                }
                return new Latencies(samples);
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>How much more memory a service has at most than at the beginning.</summary>
    private sealed class PeakMemory
    {
        private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

        private readonly CancellationTokenSource _over = new();
        private readonly Task<(double All, double Alone)> _looking;

        public PeakMemory(int pid) => _looking = LookAsync(pid, Read(pid));

        public async Task<(double All, double Alone)> EndAsync()
        {
            await _over.CancelAsync();
            var peak = await _looking;
            _over.Dispose();
            return peak;
        }

        private static (double All, double Alone) Read(int pid) => (ProcessTree.Of(pid).MemoryMb(), (MemoryRollup.Read(pid)?.Pss ?? 0) / 1024.0);

        private async Task<(double All, double Alone)> LookAsync(int pid, (double All, double Alone) before)
        {
            (double All, double Alone) most = default;
            using var timer = new PeriodicTimer(Interval, TimeProvider.System);
            try
            {
                while (await timer.WaitForNextTickAsync(_over.Token))
                {
                    var now = Read(pid);
                    most = (Math.Max(most.All, now.All - before.All), Math.Max(most.Alone, now.Alone - before.Alone));
                }
            }
            catch (OperationCanceledException)
            {
                // that is how it ends
            }
            return most;
        }
    }
}
