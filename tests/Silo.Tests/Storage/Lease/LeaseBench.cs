using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Contracts;
using Silo.GcsEmulator;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

/// <summary>A real bucket whose clock, like that of the owners, goes on only when a test says so.</summary>
internal sealed class LeaseBench : IAsyncDisposable
{
    private readonly TestFolder _folder = new();
    private readonly HttpClient _control = new();
    private readonly List<OwnershipLease> _leases = [];
    private GcsEmulatorServer _emulator = null!;
    private BucketClient _bucket = null!;
    private int _owners;

    public static OrganizationId Demo { get; } = OrganizationId.Parse("demo");

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public BucketClient Bucket => _bucket;

    public HeadStore Heads { get; private set; } = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<LeaseBench> StartAsync()
    {
        var bench = new LeaseBench();
        var options = new GcsEmulatorOptions { Port = 0, DataDirectory = bench._folder["bucket"], TimeProvider = bench.Time, Buckets = { "bucket" } };
        bench._emulator = await GcsEmulatorServer.StartAsync(options, Token);
        // Its time limits are real: only what leases depend on is measured by the fake clock.
        var gcs = new GcsOptions
        {
            BucketName = "bucket",
            EmulatorHost = bench._emulator.Url,
            RequestTimeout = TimeSpan.FromMilliseconds(500),
            TotalTimeout = TimeSpan.FromSeconds(1),
            RetryDelay = TimeSpan.FromMilliseconds(1),
        };
        bench._bucket = new BucketClient(Options.Create(gcs), TimeProvider.System, NullLogger<BucketClient>.Instance);
        bench.Heads = new HeadStore(bench._bucket, bench.Time, Options.Create(new LeaseOptions()));
        return bench;
    }

    /// <summary>Another owner, which knows of no dead one.</summary>
    public async Task<OwnershipLease> AcquireAsync(Func<OrganizationHead, TimeSpan?>? drainOf = null)
    {
        var owner = new HeadOwner("cluster", $"silo-{++_owners}", "activation", $"folder-{_owners}");
        var lease = await OwnershipLease.AcquireAsync(
            Demo, owner, Heads, (head, _) => Task.FromResult(head?.Truth), drainOf ?? (_ => null), NullLogger.Instance, Token);
        _leases.Add(lease);
        return lease;
    }

    public async Task<OrganizationHead> HeadAsync() => (await Heads.ReadAsync(Demo, Token))!.Head;

    /// <summary>The clock goes on until something has happened that hangs on it.</summary>
    public Task UntilAsync(Func<Task<bool>> happened, string what) => Eventually.GetAsync(
        async () =>
        {
            if (await happened()) return "yes";
            Time.Advance(TimeSpan.FromMilliseconds(250));
            return null;
        },
        what);

    /// <summary>The lease was renewed after this call.</summary>
    public async Task RenewedAsync()
    {
        var before = (await HeadAsync()).OperationId;
        await UntilAsync(async () => (await HeadAsync()).OperationId != before, "the lease is renewed");
    }

    public async Task FaultAsync(string faults)
    {
        using var body = new StringContent($"[{faults}]");
        (await _control.PutAsync(new Uri(_emulator.Url, "/_emulator/faults"), body, Token)).EnsureSuccessStatusCode();
    }

    public async ValueTask DisposeAsync()
    {
        await FaultAsync("");
        foreach (var lease in _leases) await lease.DisposeAsync();
        _bucket.Dispose();
        _control.Dispose();
        await _emulator.DisposeAsync();
        _folder.Dispose();
    }
}
