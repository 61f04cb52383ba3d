using Silo.LibSql;
using Silo.SystemTests.Faults;

namespace Silo.SystemTests.Machines;

/// <summary>
/// Silos and gateways as programs of their own, with a bucket emulator, and SQLite or PostgreSQL to find each other. Each has a number
/// from 0 and can be ended and started again at its place.
/// </summary>
internal sealed class SiloCluster : IAsyncDisposable
{
    private readonly Machine _machine = new();
    private readonly PostgresServer? _postgres;
    private readonly SiloNetwork? _network;
    private readonly string[] _settings;
    private readonly string[] _clustering;
    private readonly List<HostProcess> _silos = [];
    private readonly List<int> _siloPorts = []; // where they are reached
    private readonly List<int> _listeningPorts = [];
    private readonly List<Service> _gateways = [];
    private readonly List<NetworkLink> _links = [];
    private Uri _bucketUrl = null!; // StartAsync

    private SiloCluster(PostgresServer? postgres, string connection, bool canBeCut, string[] settings)
    {
        _postgres = postgres;
        _network = canBeCut ? new SiloNetwork(_silos) : null;
        _settings = settings;
        _clustering = postgres is null
            ? ["--Clustering:Provider=Sqlite", $"--ConnectionStrings:Catalog={_machine["cluster.db"]}"]
            : ["--Clustering:Provider=Postgres", "--Clustering:AdvertisedAddress=127.0.0.1", $"--ConnectionStrings:Catalog={connection}"];
    }

    public HostProcess Emulator { get; private set; } = null!; // StartAsync

    public Bucket Bucket { get; private set; } = null!; // StartAsync

    public PostgresServer Postgres => _postgres ?? throw new InvalidOperationException("This cluster is on SQLite.");

    public SiloNetwork Network => _network ?? throw new InvalidOperationException("The silos of this cluster reach each other without a network of ours.");

    public IReadOnlyList<HostProcess> Silos => _silos;

    public IReadOnlyList<Service> Gateways => _gateways;

    /// <summary>The way of each silo to the bucket.</summary>
    public IReadOnlyList<NetworkLink> Links => _links;

    public Client Operator => _gateways[0].Operator;

    public Client Member(string organization, int gateway = 0) => _gateways[gateway].Member(organization);

    /// <summary>Starts all of it at once; the gateways do not wait for the silos, nor the silos for each other.</summary>
    public static Task<SiloCluster> StartAsync(bool onPostgres, int silos, int gateways, params string[] settings) => StartAsync(onPostgres, canBeCut: false, silos, gateways, settings);

    /// <summary>The same, with a <see cref="Network"/> between the silos, and on PostgreSQL.</summary>
    public static Task<SiloCluster> StartOnNetworkAsync(int silos, int gateways, params string[] settings) => StartAsync(onPostgres: true, canBeCut: true, silos, gateways, settings);

    /// <summary>Starts a silo that has ended, at its place, or one more.</summary>
    public async Task StartSiloAsync(int number)
    {
        LaunchSilo(number);
        await _silos[number].ReadyAsync();
    }

    public async Task CreateOrganizationsAsync(IEnumerable<string> organizations)
    {
        foreach (var organization in organizations) await Operator.CreateOrganizationAsync(organization);
    }

    /// <summary>How many databases are open on each silo that has any, by the silo's number.</summary>
    public async Task<IReadOnlyDictionary<int, List<string>>> PlacesAsync()
    {
        var databases = (await Operator.GetAsync("/api/admin/databases")).Is(200).Json.GetProperty("items").EnumerateArray();
        return databases.GroupBy(database => NumberOf(database.GetProperty("silo").GetString()!), database => database.GetProperty("organization").GetString()!)
            .ToDictionary(group => group.Key, group => group.ToList());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in _gateways) gateway.Dispose();
        await _machine.DisposeAsync();
        foreach (var link in _links) await link.DisposeAsync();
        if (_network is not null) await _network.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
    }

    private static async Task<SiloCluster> StartAsync(bool onPostgres, bool canBeCut, int silos, int gateways, string[] settings)
    {
        var postgres = onPostgres ? await PostgresServer.StartNewAsync() : null;
        var cluster = new SiloCluster(postgres, postgres is null ? "" : await postgres.DatabaseAsync("silo"), canBeCut, settings);
        try
        {
            cluster.Emulator = cluster._machine.Start([HostProcess.Program("Silo.GcsEmulator"), "--port", "0", "--data", cluster._machine["bucket"], "--bucket", "silo"]);
            cluster._bucketUrl = new Uri((await cluster.Emulator.ReadyAsync()).BucketUrl!);
            cluster.Bucket = new Bucket(cluster._bucketUrl, "silo");
            var doors = Enumerable.Range(0, gateways).Select(_ => cluster.LaunchGateway()).ToList();
            for (var i = 0; i < silos; i++) cluster.LaunchSilo(i);
            foreach (var door in doors) cluster._gateways.Add(new Service((await door.ReadyAsync()).Url!));
            await Task.WhenAll(cluster._silos.Select(silo => silo.ReadyAsync()));
            foreach (var gateway in cluster._gateways)
                await Eventually.GetAsync(async () => (await gateway.With(null).GetAsync("/health/ready")).Status == 200 ? "yes" : null, "the gateway is ready");
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    private void LaunchSilo(int number)
    {
        if (number == _siloPorts.Count)
        {
            var port = LoopbackPort.Take();
            _listeningPorts.Add(port);
            _siloPorts.Add(_network?.Advertise(number, port) ?? port);
            _links.Add(new NetworkLink(_bucketUrl.Port));
        }
        var silo = _machine.Start(
            [
                HostProcess.Program("Silo.Cluster"), "--silo-port", $"{_siloPorts[number]}", $"--Clustering:ListeningSiloPort={_listeningPorts[number]}", "--gateway-port", "0", .. _clustering,
                $"--Database:DataDirectory={_machine[$"silo-{number}"]}", .. QuickLitestream.Settings, "--WarmUp:MostUsed=0", .. _settings,
            ],
            ("GCS_BUCKET_NAME", "silo"), ("STORAGE_EMULATOR_HOST", _links[number].Authority));
        if (number == _silos.Count) _silos.Add(silo);
        else _silos[number] = silo;
    }

    private HostProcess LaunchGateway() => _machine.Start(
        [
            HostProcess.Program("Silo.Gateway"), "--urls", "http://127.0.0.1:0", $"--Auth:SigningKey={Service.SigningKey}", .. _clustering,
            "--Clustering:SiloListRefresh=00:00:01", "--Clustering:ConnectionRetryDelay=00:00:00.200",
        ],
        ("GCS_BUCKET_NAME", "silo"), ("STORAGE_EMULATOR_HOST", _bucketUrl.Authority));

    // S127.0.0.1:45177:154768692
    private int NumberOf(string silo) => _siloPorts.IndexOf(int.Parse(silo.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture));
}
