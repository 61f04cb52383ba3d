using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.GcsEmulator;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Gcs;

/// <summary>A real bucket server on a free port, and clients of it.</summary>
public sealed class BucketFixture : IAsyncLifetime
{
    public const string BucketName = "test-bucket";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-bucket-");
    private readonly HttpClient _control = new();
    private readonly List<BucketClient> _clients = [];
    private GcsEmulatorServer? _server;

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Uri Url => _server!.Url;

    public string DataDirectory => _folder.FullName;

    public async ValueTask InitializeAsync() => _server = await GcsEmulatorServer.StartAsync(
        new GcsEmulatorOptions { Port = 0, DataDirectory = _folder.FullName, Buckets = { BucketName } }, Cancellation);

    /// <summary>A client that waits next to nothing between its tries.</summary>
    public BucketClient Client(Action<GcsOptions>? configure = null)
    {
        var client = Client(Url, configure);
        _clients.Add(client);
        return client;
    }

    public static BucketClient Client(Uri url, Action<GcsOptions>? configure = null)
    {
        var options = new GcsOptions
        {
            BucketName = BucketName,
            EmulatorHost = url,
            RetryDelay = TimeSpan.FromMilliseconds(1),
            MaxRetryDelay = TimeSpan.FromMilliseconds(5),
        };
        configure?.Invoke(options);
        return new BucketClient(Options.Create(options), TimeProvider.System, NullLogger<BucketClient>.Instance);
    }

    /// <summary>Sets the plan of faults, as JSON without its brackets.</summary>
    public async Task FaultAsync(string faults)
    {
        using var content = new StringContent($"[{faults}]");
        using var answer = await _control.PutAsync(new Uri(Url, "/_emulator/faults"), content, Cancellation);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancellation));
    }

    /// <summary>How many requests of a kind have come.</summary>
    public async Task<int> RequestsAsync(string kind)
    {
        var statistics = await _control.GetFromJsonAsync<JsonElement>(new Uri(Url, "/_emulator/stats"), Cancellation);
        return statistics.GetProperty("requests").GetProperty(kind).GetInt32();
    }

    /// <summary>An address where nobody listens.</summary>
    public static Uri DeadUrl()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
    }

    public static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) client.Dispose();
        _control.Dispose();
        if (_server is not null) await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
