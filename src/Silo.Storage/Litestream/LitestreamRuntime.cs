using System.Diagnostics.Metrics;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>What every Litestream of this process is started with.</summary>
/// <param name="Binary">The checked binary.</param>
/// <param name="Options">The options.</param>
/// <param name="Environment">How it reaches the bucket.</param>
/// <param name="Bucket">How we reach it.</param>
/// <param name="Meters">Makes instruments.</param>
public sealed record LitestreamRuntime(LitestreamBinary Binary, LitestreamOptions Options, LitestreamEnvironment Environment, BucketClient Bucket, IMeterFactory Meters)
{
    /// <summary>Runs restores.</summary>
    internal ReplicaRestore Restore { get; } = new(Bucket, new LitestreamRestore(Binary, Options, Environment));

    /// <summary>What all of them did.</summary>
    internal ReplicationMetrics Metrics { get; } = new(Meters);

    /// <summary>Held by who starts a Litestream again because the bucket fell behind, until the new one has shown progress.</summary>
    internal SemaphoreSlim RestartTurns { get; } = new(Options.MaxConcurrentRestarts);
}
