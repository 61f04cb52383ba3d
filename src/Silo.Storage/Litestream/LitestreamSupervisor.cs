using Microsoft.Extensions.Logging;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Litestream;

/// <summary>
/// Keeps one Litestream running for one activation: starts it, reads what it says, publishes each generation once its snapshot
/// is in the bucket, and starts it again when it dies or falls behind. Being alive is no proof of anything; only what the
/// bucket confirmed counts, and that is told to the <see cref="ReplicationTracker"/>.
/// </summary>
internal sealed partial class LitestreamSupervisor
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan HealthyAfter = TimeSpan.FromMinutes(1);
    private const long MinBytesPerSecond = 500_000;

    private static readonly TimeSpan PublishRetry = TimeSpan.FromSeconds(1);

    private readonly LitestreamRuntime _runtime;
    private readonly OrgFiles _files;
    private readonly LitestreamTarget _target;
    private readonly ReplicationTracker _tracker;
    private readonly WalEnds _ends;
    private readonly OwnershipLease _lease;
    private readonly long _highWater;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _published = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private volatile LitestreamProcess? _process;
    private volatile Exception? _moved;
    private volatile string? _generation;
    private long _progressAt;
    private Task _publishing = Task.CompletedTask;
    private string? _publishingGeneration;

    public LitestreamSupervisor(
        LitestreamRuntime runtime, OrgFiles files, string replicaPath, ReplicationTracker tracker, OwnershipLease lease, long highWater,
        TimeProvider time, ILogger logger)
    {
        _runtime = runtime;
        _files = files;
        _target = new LitestreamTarget(files.Database, ReplicaReference.PrefixOf(replicaPath, lease.Epoch));
        _tracker = tracker;
        _ends = new WalEnds(runtime.Bucket, files.Organization, _target.ReplicaPath, logger);
        _lease = lease;
        _highWater = highWater;
        _time = time;
        _logger = logger;
    }

    /// <summary>Completes when the head names a generation of this epoch; fails when the head has another owner.</summary>
    public Task Published => _published.Task;

    /// <summary>Why this activation may not write any more: the head has another owner, or cannot be trusted. Null while it may.</summary>
    public Exception? Moved => _moved;

    /// <summary>The generation that the head names; null before that.</summary>
    public string? PublishedGeneration => _lease.Current?.Generation;

    /// <summary>Its process id; null while there is none.</summary>
    public int? Pid => _process is { HasEnded: false } process ? process.Pid : null;

    /// <summary>How often it was started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>What is wrong, for an operator; null when nothing is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Starts it.</summary>
    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Ends it for good, with a last sync. What has to be in the bucket is proven before this is called.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        await _publishing;
        await _ends.StopAsync();
        _published.TrySetCanceled();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var backoff = _runtime.Options.RestartBackoff;
        while (!_stopping.IsCancellationRequested)
        {
            var started = _time.GetTimestamp();
            string reason;
            try
            {
                reason = await RunOnceAsync();
                // Its end came from outside: what it had under way may still arrive in the bucket, under names that the next
                // one would use again. A new generation has names of its own.
                if (!_stopping.IsCancellationRequested) _files.DeleteLitestreamState();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                reason = $"could not be watched over: {e.Message}";
            }
            if (_stopping.IsCancellationRequested) return;

            if (_time.GetElapsedTime(started) > HealthyAfter) backoff = _runtime.Options.RestartBackoff;
            Restarts++;
            Problem = $"Litestream {reason}; started again ({Restarts})";
            LogRestarting(_lease.Organization, reason, backoff.TotalMilliseconds, Restarts);
            await Task.Delay(backoff, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backoff = TimeSpan.FromTicks(Math.Min(backoff.Ticks * 2, _runtime.Options.MaxRestartBackoff.Ticks));
        }
    }

    /// <summary>One life of the process.</summary>
    /// <returns>Why it ended.</returns>
    private async Task<string> RunOnceAsync()
    {
        LitestreamProcess process;
        try
        {
            process = LitestreamProcess.Start(_runtime.Binary, _runtime.Options, _runtime.Environment, _target);
        }
        catch (LitestreamException e)
        {
            LogCannotStart(_lease.Organization, e.Message);
            return "could not be started";
        }

        await using (process)
        {
            _process = process;
            _progressAt = _time.GetTimestamp();
            _files.WriteChild(process.Identity);
            LogStarted(_lease.Organization, process.Pid, _target.ReplicaPath);
            using var watch = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            var watching = WatchAsync(process, watch.Token);
            await foreach (var happened in process.Events.ReadAllAsync(CancellationToken.None)) Handle(happened);
            await watch.CancelAsync();
            return await watching ?? "ended by itself";
        }
    }

    /// <summary>
    /// How long the bucket has been behind without a sign of progress from this process; a large snapshot or segment has time to
    /// be uploaded at the slowest rate that counts as progress.
    /// </summary>
    private TimeSpan Stalled()
    {
        var (lag, quiet) = (_tracker.Lag, _time.GetElapsedTime(Interlocked.Read(ref _progressAt)));
        var allowed = TimeSpan.FromSeconds((double)_files.Bytes / MinBytesPerSecond);
        return (lag < quiet ? lag : quiet) - allowed;
    }

    /// <summary>Ends the process when it is told to, or when the bucket falls behind for too long.</summary>
    private async Task<string?> WatchAsync(LitestreamProcess process, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(WatchInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                var stalled = Stalled();
                if (stalled <= _runtime.Options.MaxLag)
                {
                    if (_tracker.IsCaughtUp && Published.IsCompletedSuccessfully) Problem = null;
                    continue;
                }
                LogLagging(_lease.Organization, _tracker.Lag.TotalSeconds, _tracker.LagBytes);
                await process.KillAsync();
                return $"confirmed no upload for {stalled.TotalSeconds:0} s";
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            if (!await process.StopAsync(_runtime.Options.StopTimeout, CancellationToken.None))
                LogKilled(_lease.Organization, _runtime.Options.StopTimeout.TotalSeconds);
        }
        catch (OperationCanceledException)
        {
            // The process ended first.
        }
        return null;
    }

    private void Handle(LitestreamEvent happened)
    {
        if (happened.Kind is not (LitestreamEventKind.Failure or LitestreamEventKind.Other)) Interlocked.Exchange(ref _progressAt, _time.GetTimestamp());
        switch (happened.Kind)
        {
            case LitestreamEventKind.GenerationStarted:
                _generation = happened.Position.Generation;
                LogGeneration(_lease.Organization, happened.Text, happened.Position.Generation);
                break;
            case LitestreamEventKind.SnapshotWritten:
                LogSnapshot(_lease.Organization, happened.Position, happened.Bytes);
                BeginPublish(happened.Position.Generation);
                break;
            case LitestreamEventKind.SegmentWritten:
                // A segment is only uploaded after the snapshot; its line may have been lost with a former process.
                BeginPublish(happened.Position.Generation);
                var salt = WalPosition.ReadSalt(_files.ShadowWal(happened.Position));
                _tracker.Uploaded(happened.Position.Generation, salt, happened.Position.Offset + happened.Bytes);
                _ends.Uploaded(happened.Position, happened.Bytes, _stopping.Token);
                LogSegment(_lease.Organization, happened.Position, happened.Bytes);
                break;
            case LitestreamEventKind.Failure:
                Problem = happened.Text;
                LogFailure(_lease.Organization, happened.Text);
                break;
            default:
                if (happened.Level is "ERROR" or "WARN") LogFailure(_lease.Organization, happened.Text);
                else LogLine(_lease.Organization, happened.Text);
                break;
        }
    }

    private void BeginPublish(string generation)
    {
        _generation = generation;
        if (generation == PublishedGeneration || generation == _publishingGeneration) return;
        _publishingGeneration = generation;
        var before = _publishing;
        _publishing = PublishAsync(before, generation);
    }

    private async Task PublishAsync(Task before, string generation)
    {
        await before;
        while (!_stopping.IsCancellationRequested && generation == _generation)
        {
            try
            {
                await _lease.PublishAsync(generation, _highWater, OrgSchema.Version, _stopping.Token);
                _tracker.Published(generation);
                _published.TrySetResult();
                LogPublished(_lease.Organization, _lease.Epoch, generation);
                return;
            }
            catch (BucketException e)
            {
                Problem = $"The generation could not be published: {e.Message}";
                LogPublishFailed(_lease.Organization, generation, e.Message);
                await Task.Delay(PublishRetry, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e) when (e is HeadMovedException or HeadException)
            {
                Problem = e.Message;
                _moved = e;
                LogMoved(_lease.Organization, e.Message);
                _published.TrySetException(e);
                return;
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

}
