using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Silo.GcsEmulator;

namespace Silo.Tests.GcsEmulator;

/// <summary>An emulator in this process with one bucket, and the requests that tests make of it.</summary>
internal sealed class Emulator : IAsyncDisposable
{
    public const string Bucket = "test-bucket";
    public const string ObjectsPath = $"storage/v1/b/{Bucket}/o";

    private readonly DirectoryInfo _folder;
    private readonly TimeProvider _time;
    private readonly bool _flush;
    private GcsEmulatorServer _server = null!;

    private Emulator(DirectoryInfo folder, TimeProvider time, bool flush) => (_folder, _time, _flush) = (folder, time, flush);

    public HttpClient Http { get; private set; } = null!;

    public string Folder => _folder.FullName;

    public string BucketFolder => Path.Combine(Folder, "buckets", Bucket);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<Emulator> StartAsync(TimeProvider? time = null, bool flush = false)
    {
        var emulator = new Emulator(Directory.CreateTempSubdirectory("silo-gcs-"), time ?? TimeProvider.System, flush);
        await emulator.StartServerAsync();
        return emulator;
    }

    public async Task StopAsync()
    {
        Http.Dispose();
        await _server.DisposeAsync();
    }

    public async Task StartServerAsync()
    {
        _server = await GcsEmulatorServer.StartAsync(
            new GcsEmulatorOptions { Port = 0, DataDirectory = Folder, Buckets = { Bucket }, TimeProvider = _time, FlushToDisk = _flush }, Cancellation);
        // A fresh connection per request: the handler repeats requests by itself when a reused one is cut.
        Http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = _server.Url };
    }

    public async Task RestartAsync()
    {
        await StopAsync();
        await StartServerAsync();
    }

    /// <summary>Deletes the bucket, which must be empty, and makes it anew.</summary>
    public async Task RenewBucketAsync()
    {
        using var deleted = await Http.DeleteAsync($"storage/v1/b/{Bucket}", Cancellation);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        using var created = await Http.PostAsync("storage/v1/b?project=p", new StringContent($$"""{"name":"{{Bucket}}"}"""), Cancellation);
        Assert.Equal(HttpStatusCode.OK, created.StatusCode);
    }

    public static string ObjectPath(string name) => $"{ObjectsPath}/{Uri.EscapeDataString(name)}";

    public static string XmlPath(string name) => $"{Bucket}/{Uri.EscapeDataString(name)}";

    public Task<HttpResponseMessage> InsertAsync(string name, byte[] content, string conditions = "") => Http.PostAsync(
        $"upload/{ObjectsPath}?uploadType=media&name={Uri.EscapeDataString(name)}&{conditions}", new ByteArrayContent(content), Cancellation);

    public async Task<GcsObject> PutAsync(string name, byte[] content, string conditions = "") =>
        await ObjectAsync(await InsertAsync(name, content, conditions));

    public Task<GcsObject> PutAsync(string name, string content, string conditions = "") =>
        PutAsync(name, Encoding.UTF8.GetBytes(content), conditions);

    public Task<HttpResponseMessage> InsertMultipartAsync(string metadata, byte[] content, string query = "")
    {
        var body = new MultipartContent("related")
        {
            new StringContent(metadata, Encoding.UTF8, "application/json"),
            new ByteArrayContent(content) { Headers = { ContentType = new MediaTypeHeaderValue("text/plain") } },
        };
        return Http.PostAsync($"upload/{ObjectsPath}?uploadType=multipart&{query}", body, Cancellation);
    }

    /// <summary>The address of a new resumable upload.</summary>
    public async Task<Uri> BeginResumableAsync(string name, string conditions = "", string metadata = "{}")
    {
        using var answer = await Http.PostAsync(
            $"upload/{ObjectsPath}?uploadType=resumable&name={Uri.EscapeDataString(name)}&{conditions}",
            new StringContent(metadata, Encoding.UTF8, "application/json"), Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        // After a restart the same session lives at another port.
        return new Uri(answer.Headers.Location!.PathAndQuery.TrimStart('/'), UriKind.Relative);
    }

    /// <summary>Sends a piece, or with no bytes the question how far the upload is.</summary>
    public Task<HttpResponseMessage> SendPieceAsync(Uri session, string contentRange, byte[] piece, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, session) { Content = new ByteArrayContent(piece) };
        request.Content.Headers.TryAddWithoutValidation("Content-Range", contentRange);
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return Http.SendAsync(request, Cancellation);
    }

    public async Task<GcsObject> GetAsync(string name) => await ObjectAsync(await Http.GetAsync(ObjectPath(name), Cancellation));

    public Task<byte[]> ReadAsync(string name) => Http.GetByteArrayAsync(XmlPath(name), Cancellation);

    public async Task<GcsList> ListAsync(string query = "") =>
        (await Http.GetFromJsonAsync<GcsList>($"{ObjectsPath}?{query}", Cancellation))!;

    public Task<HttpResponseMessage> TrySetFaultsAsync(string plan) =>
        Http.PutAsync("_emulator/faults", new StringContent(plan, Encoding.UTF8, "application/json"), Cancellation);

    public async Task SetFaultsAsync(string plan)
    {
        using var answer = await TrySetFaultsAsync(plan);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    public async Task<JsonElement> StatisticsAsync() => await Http.GetFromJsonAsync<JsonElement>("_emulator/stats", Cancellation);

    public static async Task<GcsObject> ObjectAsync(HttpResponseMessage answer)
    {
        using (answer)
        {
            Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}: {await answer.Content.ReadAsStringAsync(Cancellation)}");
            return (await answer.Content.ReadFromJsonAsync<GcsObject>(Cancellation))!;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _folder.Delete(recursive: true);
    }
}

internal sealed record GcsObject(
    string Name, string Generation, string Metageneration, string Size, string Md5Hash, string Crc32c, string? ContentType, string? CacheControl,
    DateTimeOffset TimeCreated, DateTimeOffset Updated, Dictionary<string, string>? Metadata);

internal sealed record GcsList(GcsObject[]? Items, string[]? Prefixes, string? NextPageToken)
{
    public IEnumerable<string> Names => (Items ?? []).Select(item => item.Name);
}
