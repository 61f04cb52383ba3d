using Silo.LibSql;

namespace Silo.SystemTests.Machines;

/// <summary>
/// Emulator, silo and gateway as three programs, with the least that each must be told. Each can be ended and started again, at
/// its place; what is not started yet has its place already.
/// </summary>
internal sealed class SplitService(Machine machine)
{
    private readonly int _siloGatewayPort = LoopbackPort.Take();
    private int _bucketPort;
    private Service? _service;

    /// <summary>What silo and gateway find in their environment besides.</summary>
    public (string Name, string Value)[] Environment { get; init; } = [];

    public HostProcess Emulator { get; private set; } = null!; // StartEmulatorAsync

    public HostProcess Silo { get; private set; } = null!; // StartSiloAsync

    public HostProcess Gateway { get; private set; } = null!; // StartGatewayAsync

    public Bucket Bucket => new(new Uri($"http://127.0.0.1:{_bucketPort}"), "silo");

    public string GatewayUrl { get; private set; } = null!; // StartGatewayAsync

    public string Databases => machine["databases"];

    public Client Operator => _service!.Operator;

    public Client Member(string organization) => _service!.Member(organization);

    public Client Nobody => _service!.With(null);

    public async Task StartEmulatorAsync()
    {
        Emulator = machine.Start([HostProcess.Program("Silo.GcsEmulator"), "--port", $"{_bucketPort}", "--data", machine["bucket"], "--bucket", "silo"]);
        _bucketPort = new Uri((await Emulator.ReadyAsync()).BucketUrl!).Port;
    }

    public async Task StartSiloAsync(params string[] settings)
    {
        Silo = machine.Start(
            [
                HostProcess.Program("Silo.Cluster"), "--silo-port", "0", "--gateway-port", $"{_siloGatewayPort}",
                $"--Database:DataDirectory={Databases}", $"--ConnectionStrings:Catalog={machine["catalog.db"]}",
                .. QuickLitestream.Settings, "--WarmUp:MostUsed=0", .. settings,
            ],
            [("GCS_BUCKET_NAME", "silo"), ("STORAGE_EMULATOR_HOST", $"127.0.0.1:{_bucketPort}"), .. Environment]);
        var ready = await Silo.ReadyAsync();
        Assert.Equal((Databases, _siloGatewayPort), (ready.DataDirectory, ready.GatewayPort));
    }

    public async Task StartGatewayAsync(params string[] settings)
    {
        Gateway = machine.Start([HostProcess.Program("Silo.Gateway"), "--urls", "http://127.0.0.1:0", $"--Auth:SigningKey={Service.SigningKey}", $"--Clustering:GatewayPort={_siloGatewayPort}", .. settings],
            [("GCS_BUCKET_NAME", "silo"), ("STORAGE_EMULATOR_HOST", $"127.0.0.1:{_bucketPort}"), .. Environment]);
        GatewayUrl = (await Gateway.ReadyAsync()).Url!;
        _service = new Service(GatewayUrl);
    }

    /// <summary>Waits until the gateway says that its cluster can be used.</summary>
    public Task UntilReadyAsync() => Eventually.GetAsync(async () => (await Nobody.GetAsync("/health/ready")).Status == 200 ? "yes" : null, "the gateway is ready");
}
