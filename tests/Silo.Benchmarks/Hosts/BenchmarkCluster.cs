using Silo.Benchmarks.Machine;

namespace Silo.Benchmarks.Hosts;

/// <summary>A bucket, some silos and one gateway, each a process of its own, on the data that the standalone host was seeded with.</summary>
internal sealed class BenchmarkCluster : IAsyncDisposable
{
    private readonly List<ServedProcess> _silos = [];

    private BenchmarkCluster(ServedProcess bucket) => Bucket = bucket;

    public ServedProcess Bucket { get; }

    public IReadOnlyList<ServedProcess> Silos => _silos;

    public ServedProcess Gateway { get; private set; } = null!; // StartAsync

    /// <summary>Memory of all silos with their Litestreams, in MB.</summary>
    public double SilosMb => _silos.Sum(silo => ProcessTree.Of(silo.Pid).MemoryMb());

    /// <summary>Starts all of it.</summary>
    /// <param name="run">Whose folder and settings.</param>
    /// <param name="silos">How many.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<BenchmarkCluster> StartAsync(BenchmarkRun run, int silos, CancellationToken cancellationToken)
    {
        var data = Path.Combine(run.Folder, "silo");
        var cluster = new BenchmarkCluster(await ServedProcess.StartAsync(
            "bucket", "Silo.GcsEmulator", ["--port", "0", "--data", Path.Combine(data, "bucket"), "--bucket", "silo"], run.Environment, cancellationToken));
        try
        {
            KeyValuePair<string, string>[] environment =
                [.. run.Environment, new("GCS_BUCKET_NAME", "silo"), new("STORAGE_EMULATOR_HOST", cluster.Bucket.BucketUrl!.Authority)];
            string[] both = ["--Clustering:Provider=Sqlite", $"--ConnectionStrings:Cluster={Path.Combine(run.Folder, "cluster.db")}", "--Logging:LogLevel:Default=Warning"];
            for (var i = 1; i <= silos; i++)
            {
                cluster._silos.Add(await ServedProcess.StartAsync(
                    $"silo {i}", "Silo.Cluster",
                    [
                        "--silo-port", "0", "--gateway-port", "0", .. both, $"--ConnectionStrings:Catalog={Path.Combine(data, "catalog.db")}",
                        $"--Database:DataDirectory={Path.Combine(run.Folder, $"silo-{i}")}", "--Database:IdleTimeout=01:00:00", "--WarmUp:MostUsed=0",
                        .. run.Settings.HostSettings.Select(setting => "--" + setting),
                    ],
                    environment, cancellationToken));
            }
            cluster.Gateway = await ServedProcess.StartAsync(
                "Silo", "Silo.Gateway", ["--urls", "http://127.0.0.1:0", "--Auth:SigningKey=" + run.Tokens.SigningKey, .. both], environment, cancellationToken);
            using var calls = new OperatorCalls(cluster.Gateway, run.Tokens);
            await calls.WaitReadyAsync(cancellationToken);
            await calls.DeactivateAllAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Lets none of it run until it is disposed.</summary>
    public IDisposable Freeze() => new Frozen([.. _silos.Append(Gateway).Append(Bucket).Select(process => new FrozenTree(process.Pid))]);

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        await Task.WhenAll(_silos.Select(silo => silo.DisposeAsync().AsTask()));
        await Bucket.DisposeAsync();
    }

    private sealed class Frozen(IReadOnlyList<FrozenTree> trees) : IDisposable
    {
        public void Dispose()
        {
            foreach (var tree in trees) tree.Dispose();
        }
    }
}
