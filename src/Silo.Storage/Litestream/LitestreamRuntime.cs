namespace Silo.Storage.Litestream;

/// <summary>What every Litestream of this process is started with.</summary>
/// <param name="Binary">The checked binary.</param>
/// <param name="Options">The options.</param>
/// <param name="Environment">How it reaches the bucket.</param>
public sealed record LitestreamRuntime(LitestreamBinary Binary, LitestreamOptions Options, LitestreamEnvironment Environment)
{
    /// <summary>Runs restores.</summary>
    public LitestreamRestore Restore { get; } = new(Binary, Options, Environment);

    /// <summary>Held by who starts a Litestream again because the bucket fell behind, until the new one has shown progress.</summary>
    internal SemaphoreSlim RestartTurns { get; } = new(Options.MaxConcurrentRestarts);
}
