using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.GcsEmulator;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Exports;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Litestream;
using Silo.Storage.Migration;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Databases;

/// <summary>A bucket, and silos of it without Orleans: everything below the grain, with the real Litestream.</summary>
public sealed class DatabaseBench : IAsyncDisposable
{
    private readonly List<ServiceProvider> _silos = [];
    private readonly Dictionary<string, ServiceProvider> _holders = [];
    private readonly Dictionary<string, string?> _settings;

    private DatabaseBench(GcsEmulatorServer emulator, TestFolder folder, LitestreamBinary litestream, Dictionary<string, string?> settings)
    {
        Emulator = emulator;
        Folder = folder;
        Litestream = litestream;
        _settings = settings;
        Bucket = Silo("outsider").GetRequiredService<BucketClient>();
    }

    public TestFolder Folder { get; }

    public GcsEmulatorServer Emulator { get; }

    public LitestreamBinary Litestream { get; }

    public BucketClient Bucket { get; }

    public HttpClient Http { get; } = new();

    public static Organization Demo { get; } = Org("demo");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Organization Org(string id) => new()
    {
        Id = OrganizationId.Parse(id),
        Name = id,
        DbType = OrganizationDbType.Sqlite,
        GcsBucketName = "bucket",
        GcsReplicaPath = $"litestream-replicas/{id}",
    };

    public static async Task<DatabaseBench> StartAsync(Dictionary<string, string?>? settings = null)
    {
        var folder = new TestFolder();
        var options = new GcsEmulatorOptions { Port = 0, DataDirectory = folder["bucket"] };
        options.Buckets.Add("bucket");
        var emulator = await GcsEmulatorServer.StartAsync(options, Token);
        return new DatabaseBench(emulator, folder, await LitestreamBinary.LocateAsync(null, null, Token), settings ?? []);
    }

    /// <summary>
    /// The services of a silo with a data folder of this name; one that had it before is dead. Its clock of Litestream is quick, so that
    /// tests are.
    /// </summary>
    public ServiceProvider Silo(string name)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Gcs:BucketName"] = "bucket",
            ["Gcs:EmulatorHost"] = Emulator.Url.Authority,
            ["Database:DataDirectory"] = Folder[name],
            ["ConnectionStrings:Catalog"] = Folder["catalog.db"],
            ["Litestream:MonitorInterval"] = "00:00:00.050",
            ["Litestream:SyncInterval"] = "00:00:00.050",
            ["Litestream:StopTimeout"] = "00:00:05",
            // Other tests use the machine up meanwhile: nobody is to go first.
            ["Litestream:Niceness"] = "0",
        }).AddInMemoryCollection(_settings).Build();
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new TestOutputLogs()));
        services.AddGcsBucket(configuration);
        services.AddLitestream(configuration, Litestream);
        services.AddOrgDatabases(configuration);
        services.AddImportIntake(configuration);
        services.AddDatabaseExports(configuration);
        services.AddOrganizationCatalog(configuration);
        services.AddTurso(configuration);
        services.AddMigration(configuration);
        var silo = services.BuildServiceProvider();
        Directory.CreateDirectory(Folder[name]);
        if (_holders.TryGetValue(name, out var before)) before.GetRequiredService<DataDirectoryLock>().Dispose();
        _silos.Add(_holders[name] = silo);
        return silo;
    }

    public static Task<OrgDatabase> OpenAsync(ServiceProvider silo, Organization organization) => silo.GetRequiredService<OrgDatabaseOpening>().OpenAsync(
        organization, new HeadOwner("test", "silo", Guid.NewGuid().ToString()), new ActivationPhases(TimeProvider.System), Token);

    /// <summary>Another cluster, which nobody here knows, takes the organization from its owner, changes nothing, and gives it back.</summary>
    public async Task TakeAwayAsync(Organization organization)
    {
        for (var done = false; !done;)
        {
            var found = (await new HeadStore(Bucket, TimeProvider.System).ReadAsync(organization.Id, Token))!;
            try
            {
                await WriteHeadAsync(organization, found, found.Head with
                {
                    Epoch = found.Head.Epoch + 1,
                    State = HeadState.Released,
                    Owner = new HeadOwner("elsewhere", "silo", "other"),
                    OperationId = Guid.NewGuid().ToString("n"),
                    Base = found.Head.Truth,
                    Current = null,
                });
                done = true;
            }
            catch (BucketPreconditionException)
            {
                // The owner renewed or published at the same moment.
            }
        }
    }

    public Task WriteHeadAsync(Organization organization, StoredHead found, OrganizationHead next) => Bucket.UploadAsync(
        OrganizationHead.ObjectName(organization.Id), JsonSerializer.SerializeToUtf8Bytes(next, OrganizationHeadJson.Default.OrganizationHead),
        "application/json", found.ObjectGeneration, Token);

    public async Task<OrganizationHead> HeadAsync(Organization organization) =>
        (await new HeadStore(Bucket, TimeProvider.System).ReadAsync(organization.Id, Token))!.Head;

    /// <summary>What anyone gets who restores what the head names with the stock binary.</summary>
    public async Task<string> RestoreAsOutsiderAsync(Organization organization)
    {
        var truth = (await HeadAsync(organization)).Truth!;
        var file = Folder[$"outside-{Guid.NewGuid():n}.db"];
        var start = new ProcessStartInfo(Litestream.Path, ["restore", "-generation", truth.Generation, "-o", file, $"gcs://bucket/{truth.Prefix(organization.GcsReplicaPath!)}"])
        {
            RedirectStandardError = true,
        };
        start.Environment["STORAGE_EMULATOR_HOST"] = Emulator.Url.Authority;
        using var restore = Process.Start(start)!;
        var said = await restore.StandardError.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        Assert.True(restore.ExitCode == 0, said);
        return file;
    }

    public async Task SetFaultsAsync(string plan)
    {
        using var body = new StringContent(plan, System.Text.Encoding.UTF8, "application/json");
        (await Http.PutAsync(new Uri(Emulator.Url, "/_emulator/faults"), body, Token)).EnsureSuccessStatusCode();
    }

    /// <summary>How many requests have met a fault of the plan.</summary>
    public Task<long> FaultsAsync() => StatisticAsync("faults");

    /// <summary>A number of the bucket's statistics.</summary>
    public async Task<long> StatisticAsync(string name) =>
        JsonDocument.Parse(await Http.GetStringAsync(new Uri(Emulator.Url, "/_emulator/stats"), Token)).RootElement.GetProperty(name).GetInt64();

    public async Task ClearFaultsAsync() => (await Http.DeleteAsync(new Uri(Emulator.Url, "/_emulator/faults"), Token)).EnsureSuccessStatusCode();

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos) await silo.DisposeAsync();
        await Emulator.DisposeAsync();
        Http.Dispose();
        Folder.Dispose();
    }

    private sealed class TestOutputLogs : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            TestContext.Current.TestOutputHelper?.WriteLine($"{DateTimeNow()} {logLevel}: {formatter(state, exception)} {exception}");

        private static string DateTimeNow() => TimeProvider.System.GetUtcNow().ToString("HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture);
    }
}
