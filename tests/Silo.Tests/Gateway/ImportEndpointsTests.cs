using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.GcsEmulator;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class ImportEndpointsTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _organization = "org-" + Guid.NewGuid().ToString("N");
    private readonly TestFolder _folder = new();
    private GcsEmulatorServer _bucket = null!;
    private TestGateway _gateway = null!;
    private string _token = null!;

    public async ValueTask InitializeAsync()
    {
        var options = new GcsEmulatorOptions { Port = 0, DataDirectory = _folder["bucket"] };
        options.Buckets.Add("bucket");
        _bucket = await GcsEmulatorServer.StartAsync(options, TestContext.Current.CancellationToken);
        _gateway = await TestGateway.Start(cluster.Client, null, ("Gcs:BucketName", "bucket"), ("Gcs:EmulatorHost", _bucket.Url.Authority), ("Imports:MaxBytes", "100000"));
        _token = _gateway.Member(_organization);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _bucket.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("text/csv", ImportFormat.Csv, null)]
    [InlineData("text/csv; charset=\"utf-16\"", ImportFormat.Csv, "utf-16")]
    [InlineData("application/json; charset=utf-8", ImportFormat.Json, "utf-8")]
    [InlineData("application/x-ndjson", ImportFormat.NdJson, null)]
    public async Task File_GoesToTheBucketAndToItsOrganization(string type, ImportFormat format, string? charset)
    {
        var key = Guid.NewGuid();
        using var answer = await Send("name\nAda\n", type, "?overwriteExisting=true&strict=true&agentId=7", request => request.Headers.Add("Idempotency-Key", key.ToString().ToUpperInvariant()));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal($"/api/imports/{key}", answer.Headers.Location!.OriginalString);
        Assert.Equal(("queued", key), ((await answer.Json()).GetProperty("state").GetString(), (await answer.Json()).GetProperty("id").GetGuid()));

        var import = cluster.StandIns.Imports[key.ToString()];
        Assert.Equal((format, charset, false, 9L, new ImportOptions(true, true, "7")), (import.Format, import.Charset, import.IsGzip, import.Bytes, import.Options));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData("name\nAda\n"u8)), import.Sha256);
        Assert.Equal("127.0.0.1", import.Source);
        Assert.NotNull(import.User);
        Assert.Equal("name\nAda\n", await Object(key));
    }

    [Theory]
    [InlineData(null, "127.0.0.1")]
    [InlineData("127.0.0.2", "127.0.0.1")]
    [InlineData("127.0.0.1", "127.0.0.77")]
    [InlineData("127.0.0.0/30", "127.0.0.77")]
    public async Task Source_BehindAProxy_IsWhoTheProxySaysIfItIsTrusted(string? trusted, string source)
    {
        (string, string)[] settings = [("Gcs:BucketName", "bucket"), ("Gcs:EmulatorHost", _bucket.Url.Authority)];
        await using var gateway = await TestGateway.Start(cluster.Client, null, trusted is null ? settings : [.. settings, ("Gateway:TrustedProxies:0", trusted)]);
        var key = Guid.NewGuid();
        using var answer = await gateway.Send(HttpMethod.Post, "/api/contacts/bulk-import", gateway.Member(_organization), "[]", request =>
        {
            request.Headers.Add("Idempotency-Key", key.ToString());
            // What the client itself has written comes first; the proxy adds whom it saw.
            request.Headers.Add("X-Forwarded-For", "127.0.0.99, 127.0.0.77");
        });
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal(source, cluster.StandIns.Imports[key.ToString()].Source);
    }

    [Fact]
    public async Task TrustedProxies_ThatAreNone_AreRefusedAtTheStart()
    {
        var refused = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => TestGateway.Start(cluster.Client, null, ("Gateway:TrustedProxies:0", "proxy")));
        Assert.Contains("'proxy'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_ThatIsKnown_IsAnsweredWithoutReadingTheBody()
    {
        var key = Guid.NewGuid();
        (await Send("name\nAda\n", "text/csv", "", request => request.Headers.Add("Idempotency-Key", key.ToString()))).Dispose();
        using var again = await Send("name\nEve\n", "text/csv", "", request => request.Headers.Add("Idempotency-Key", key.ToString()));
        Assert.Equal(HttpStatusCode.Accepted, again.StatusCode);
        Assert.Equal("name\nAda\n", await Object(key));
    }

    [Theory]
    [InlineData("wait=10", true)]
    [InlineData("respond-async, wait=5", true)]
    [InlineData("wait=soon", false)]
    public async Task Preference_ToWait_IsKept(string prefer, bool waits)
    {
        using var answer = await Send("name\nAda\n", "text/csv", "", request => request.Headers.Add("Prefer", prefer));
        Assert.Equal(waits ? HttpStatusCode.OK : HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal(waits, answer.Headers.Contains("Preference-Applied"));
        if (waits) Assert.Equal(("completed", true), ((await answer.Json()).GetProperty("state").GetString(), (await answer.Json()).GetProperty("durable").GetBoolean()));
    }

    [Theory]
    [InlineData("name\nAda\n", "text/plain", "", null, 415, "unsupported_media_type")]
    [InlineData("name\nAda\n", "text/csv; charset=klingon", "", null, 415, "unsupported_media_type")]
    [InlineData("name\nAda\n", "text/csv", "", "br", 415, "unsupported_media_type")]
    [InlineData("name\nAda\n", "text/csv", "?strict=yes", null, 400, "invalid_request")]
    [InlineData("", "text/csv", "", null, 400, "invalid_request")]
    [InlineData("no gzip", "text/csv", "", "gzip", 400, "invalid_request")]
    public async Task Request_ThatCannotBe_IsRefusedAndLeavesNothing(string body, string type, string query, string? encoding, int status, string code)
    {
        using var answer = await Send(body, type, query, request =>
        {
            if (encoding is not null) request.Content!.Headers.ContentEncoding.Add(encoding);
        });
        await answer.Problem(status, code);
        using var left = await _gateway.Client.GetAsync(new Uri(_bucket.Url, "/storage/v1/b/bucket/o?prefix=imports/"), TestContext.Current.CancellationToken);
        Assert.False((await left.Json()).TryGetProperty("items", out _));
    }

    [Fact]
    public async Task Key_ThatIsNoUuid_IsRefused() =>
        await (await Send("name\nAda\n", "text/csv", "", request => request.Headers.Add("Idempotency-Key", "../x"))).Problem(400, "invalid_request");

    [Fact]
    public async Task Body_BeyondTheLimit_IsRefusedWhileItComes()
    {
        await (await Send(new string('x', 100_001), "text/csv")).Problem(413, "payload_too_large");
        using var request = Request(new StreamContent(new MemoryStream(new byte[100_001])), "text/csv", "");
        request.Headers.TransferEncodingChunked = true;
        await (await _gateway.Client.SendAsync(request, TestContext.Current.CancellationToken)).Problem(413, "payload_too_large");
    }

    [Theory]
    [InlineData(100_001, 0, 413, "payload_too_large")]
    [InlineData(50_000, 20, 400, "invalid_request")]
    [InlineData(100_000, 0, 202, null)]
    public async Task Body_ThatIsCompressed_IsInflatedForItsSize(int size, int cut, int status, string? code)
    {
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) await gzip.WriteAsync(new byte[size], TestContext.Current.CancellationToken);
        using var request = Request(new ByteArrayContent(compressed.ToArray()[..^cut]), "text/csv", "");
        request.Content!.Headers.ContentEncoding.Add("gzip");
        using var answer = await _gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        if (code is not null) await answer.Problem(status, code);
    }

    [Fact]
    public async Task Refusal_OfTheOrganization_IsTheAnswer()
    {
        cluster.StandIns.Failures[$"{_organization}/prepare"] = new OrganizationException(OrganizationErrorCode.ImportInProgress, "Another one runs.");
        await (await Send("name\nAda\n", "text/csv")).Problem(409, "import_in_progress");
        cluster.StandIns.Failures.Remove($"{_organization}/prepare", out _);

        var key = Guid.NewGuid();
        cluster.StandIns.Failures[$"{_organization}/begin"] = new OrganizationException(OrganizationErrorCode.ImportInProgress, "Another one was quicker.");
        await (await Send("name\nAda\n", "text/csv", "", request => request.Headers.Add("Idempotency-Key", key.ToString()))).Problem(409, "import_in_progress");
        Assert.Null(await Object(key));
    }

    [Fact]
    public async Task Files_BeyondThoseThatAreReceivedAtOnce_AreRefused()
    {
        await using var gateway = await TestGateway.Start(
            cluster.Client, null, ("Gcs:BucketName", "bucket"), ("Gcs:EmulatorHost", _bucket.Url.Authority), ("Gcs:UploadChunkBytes", "67108864"), ("Imports:MaxReceiving", "1"));
        Task<HttpResponseMessage> SendAsync(HttpContent body) =>
            gateway.Client.SendAsync(Request(body, "text/csv", "", token: gateway.Member(_organization)), TestContext.Current.CancellationToken);
        var slow = new SlowContent();
        var first = SendAsync(slow);
        await slow.IsReceived;
        await (await SendAsync(new StringContent("name\nAda\n"))).Problem(429, "too_many_requests");

        slow.End();
        Assert.Equal(HttpStatusCode.Accepted, (await first).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync(new StringContent("name\nAda\n"))).StatusCode);
    }

    [Fact]
    public async Task Organization_ThatSendsSlowly_LeavesPlacesForOthers()
    {
        await using var gateway = await TestGateway.Start(
            cluster.Client, null, ("Gcs:BucketName", "bucket"), ("Gcs:EmulatorHost", _bucket.Url.Authority), ("Gcs:UploadChunkBytes", "67108864"), ("Imports:MaxReceiving", "2"), ("Imports:MaxReceivingPerOrganization", "1"));
        Task<HttpResponseMessage> SendAsync(HttpContent body, string organization) =>
            gateway.Client.SendAsync(Request(body, "text/csv", "", token: gateway.Member(organization)), TestContext.Current.CancellationToken);
        var slow = new SlowContent();
        var first = SendAsync(slow, _organization);
        await slow.IsReceived;
        await (await SendAsync(new StringContent("name\nAda\n"), _organization)).Problem(429, "too_many_requests");
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync(new StringContent("name\nAda\n"), "other-" + _organization)).StatusCode);
        slow.End();
        Assert.Equal(HttpStatusCode.Accepted, (await first).StatusCode);
    }

    [Fact]
    public async Task Import_WhoseOrganizationMoves_IsAccepted()
    {
        var asked = cluster.StandIns.Arrival($"{_organization}/prepare"); // told before it is refused: the second one tells that the first was
        cluster.StandIns.Failures[$"{_organization}/prepare"] = new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "It is being put away.") { RetryAfter = TimeSpan.FromSeconds(1) };
        var sending = Send("name\nAda\n", "text/csv");
        for (var i = 0; i < 2; i++) await asked.WaitAsync(TestContext.Current.CancellationToken);
        cluster.StandIns.Failures.Remove($"{_organization}/prepare", out _);
        Assert.Equal(HttpStatusCode.Accepted, (await sending).StatusCode);
    }

    [Fact]
    public async Task Import_WhoseEndCannotBeWaitedFor_IsAcceptedNevertheless()
    {
        var key = Guid.NewGuid();
        cluster.StandIns.Failures[$"{_organization}/find"] = new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "Its silo has died.") { RetryAfter = TimeSpan.FromSeconds(5) };
        using var answer = await Send("name\nAda\n", "text/csv", "", request =>
        {
            request.Headers.Add("Idempotency-Key", key.ToString());
            request.Headers.Add("Prefer", "wait=30");
        });
        Assert.Equal((HttpStatusCode.Accepted, $"/api/imports/{key}"), (answer.StatusCode, answer.Headers.Location?.OriginalString));
    }

    [Fact]
    public async Task Bucket_ThatTakesNothing_IsTold()
    {
        using var faults = new StringContent("""[{"action":"status","status":503}]""", Encoding.UTF8, "application/json");
        (await _gateway.Client.PutAsync(new Uri(_bucket.Url, "/_emulator/faults"), faults, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
        using var answer = await Send("name\nAda\n", "text/csv");
        await answer.Problem(503, "database_unavailable");
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    [Fact]
    public async Task Progress_IsTellableAndWatchable()
    {
        using var begun = await Send("name\nAda\n", "text/csv");
        var id = (await begun.Json()).GetProperty("id").GetString()!;
        var states = new[] { ImportState.Running, ImportState.Running, ImportState.Completed };
        cluster.StandIns.ImportStatuses[id] = new(states.Select((state, at) => new ImportStatus
        {
            Id = id,
            State = state,
            Phase = state == ImportState.Running ? ImportPhase.Reading : null,
            Processed = at,
            StartedAt = TimeProvider.System.GetUtcNow(),
            Errors = [new ImportError(2, "validation_failed", "email")],
        }));
        using var looked = await _gateway.Get($"/api/imports/{id}", _token);
        var json = await looked.Json();
        Assert.Equal(("running", "reading", 2), (json.GetProperty("state").GetString(), json.GetProperty("phase").GetString(), json.GetProperty("errors")[0].GetProperty("row").GetInt32()));

        using var events = await _gateway.Get($"/api/imports/{id}/events", _token);
        Assert.Equal("text/event-stream", events.Content.Headers.ContentType?.MediaType);
        var told = (await events.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal))
            .Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement.GetProperty("state").GetString());
        Assert.Equal(["running", "completed"], told);
    }

    [Fact]
    public async Task Progress_WatchedWhenTheGatewayStops_Ends()
    {
        using var begun = await Send("name\nAda\n", "text/csv");
        var id = (await begun.Json()).GetProperty("id").GetString()!;
        cluster.StandIns.ImportStatuses[id] = new([new ImportStatus { Id = id, State = ImportState.Running, StartedAt = TimeProvider.System.GetUtcNow(), Errors = [] }]);
        await using var gateway = await TestGateway.Start(
            cluster.Client, app => app.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(10)), ("Gateway:DrainTimeout", "00:10:00"));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/imports/{id}/events") { Headers = { Authorization = new("Bearer", gateway.Member(_organization)) } };
        using var watched = await gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await gateway.StopAsync().WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Contains("running", await watched.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/imports/00000000-0000-0000-0000-000000000000")]
    [InlineData("/api/imports/..%2fx")]
    [InlineData("/api/imports/00000000-0000-0000-0000-000000000000/events")]
    public async Task Import_ThatThereIsNot_IsNotFound(string path) => await (await _gateway.Get(path, _token)).Problem(404, "import_not_found");

    [Fact]
    public async Task Audit_IsPaged()
    {
        using var page = await _gateway.Get("/api/audit?limit=7&cursor=x", _token);
        Assert.Equal("7/x", (await page.Json()).GetProperty("nextCursor").GetString());
        await (await _gateway.Get("/api/audit?limit=0", _token)).Problem(400, "invalid_request");
    }

    [Fact]
    public async Task Operators_ImportForAnyOrganization_AndMembersDoNot()
    {
        var root = $"/api/admin/organizations/{_organization}";
        using var request = Request(new StringContent("name\nAda\n"), "text/csv", "", $"{root}/contacts/bulk-import", _gateway.Tokens.Admin());
        using var answer = await _gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.StartsWith($"{root}/imports/", answer.Headers.Location!.OriginalString, StringComparison.Ordinal);
        using var looked = await _gateway.Get(answer.Headers.Location!.OriginalString, _gateway.Tokens.Admin());
        Assert.Equal(HttpStatusCode.OK, looked.StatusCode);
        await (await _gateway.Get($"{root}/audit", _token)).Problem(403, "forbidden");
    }

    private async Task<string?> Object(Guid key)
    {
        using var answer = await _gateway.Client.GetAsync(new Uri(_bucket.Url, $"/bucket/imports/{_organization}/{key}"), TestContext.Current.CancellationToken);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    private async Task<HttpResponseMessage> Send(string body, string type, string query = "", Action<HttpRequestMessage>? configure = null)
    {
        using var request = Request(new ByteArrayContent(Encoding.UTF8.GetBytes(body)), type, query);
        configure?.Invoke(request);
        return await _gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private HttpRequestMessage Request(HttpContent body, string type, string query, string path = "/api/contacts/bulk-import", string? token = null)
    {
        body.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return new HttpRequestMessage(HttpMethod.Post, path + query) { Content = body, Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token ?? _token) } };
    }

    /// <summary>A body that stays unfinished until it is told to end. It is longer than all buffers on its way, so whoever takes it reads it.</summary>
    private sealed class SlowContent : HttpContent
    {
        private readonly TaskCompletionSource _received = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsReceived => _received.Task;

        public void End() => _end.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(new byte[32 * 1024 * 1024], TestContext.Current.CancellationToken);
            _received.SetResult();
            await _end.Task;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
