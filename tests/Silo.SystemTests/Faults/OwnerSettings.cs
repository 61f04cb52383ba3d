namespace Silo.SystemTests.Faults;

/// <summary>What every owner runs with: all times short, so that a round is.</summary>
internal static class OwnerSettings
{
    public static readonly TimeSpan TimeToLive = TimeSpan.FromSeconds(4);

    public static readonly string[] All =
    [
        $"--Lease:TimeToLive={TimeToLive}", "--Lease:RenewInterval=00:00:01", "--Lease:SafetyMargin=00:00:01", "--Lease:DrainTime=00:00:02",
        .. QuickLitestream.Settings, "--Litestream:ReplicatedWait=00:00:08", "--Litestream:MaxLag=00:00:08",
        "--Litestream:StopTimeout=00:00:03",
        // Checkpoints come often.
        "--Litestream:CheckpointPages=200",
        "--Database:IdleTimeout=00:00:02", "--Database:ActivationTimeout=00:00:10", "--Database:FlushTimeout=00:00:05", "--Database:RetryBackoff=00:00:00.200",
        "--Database:MaxRetryBackoff=00:00:01",
        "--Gcs:RequestTimeout=00:00:02", "--Gcs:TotalTimeout=00:00:04",
        // The traffic asks again by itself, and each of its calls that hangs is a write less.
        "--Gateway:RetryFor=00:00:01",
        // Who serves is what the faults say.
        "--WarmUp:MostUsed=0",
    ];
}
