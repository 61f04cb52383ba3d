using Microsoft.Extensions.Logging;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Litestream;

/// <summary>
/// Keeps one Litestream running for one activation: starts it, reads what it says, publishes each generation that it begins,
/// pokes it when an upload failed, and starts it again when it dies or hangs. Being alive is no proof of anything; only what
/// the bucket confirmed counts, and that is told to the <see cref="ReplicationTracker"/>.
/// </summary>
internal sealed partial class LitestreamSupervisor
{
    private static readonly TimeSpan HealthyAfter = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StuckStopTimeout = TimeSpan.FromSeconds(2);

    // What is slower than this gets its time as well, since each restart doubles it; a snapshot is too large for that.
    private const long MinWalBytesPerSecond = 2_000_000;
    private const long MinSnapshotBytesPerSecond = 500_000;

    private readonly LitestreamRuntime _runtime;
    private readonly OrgFiles _files;
    private readonly LitestreamTarget _target;
    private readonly ReplicationTracker _tracker;
    private readonly ReplicationWatch _health;
    private readonly Func<Task<bool>> _poke;
    private readonly WalEnds _ends;
    private readonly OwnershipLease _lease;
    private readonly long _highWater;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private volatile LitestreamProcess? _process;
    private volatile bool _hasSnapshot;
    private bool _isEnding; // what this process uploads from now on proves nothing
    private int _pokes;
    private int _stalls;
    private int _kills;
    private int _deaths;
    private int _hasRestartTurn;

    /// <param name="runtime">What the process is started with.</param>
    /// <param name="files">The files.</param>
    /// <param name="target">What it replicates, and where to.</param>
    /// <param name="tracker">Is told what the bucket has.</param>
    /// <param name="lease">Publishes.</param>
    /// <param name="highWater">The file's counter when it was opened.</param>
    /// <param name="poke">Changes the database, unless somebody else does just now (then false).</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public LitestreamSupervisor(
        LitestreamRuntime runtime, OrgFiles files, LitestreamTarget target, ReplicationTracker tracker, OwnershipLease lease, long highWater,
        Func<Task<bool>> poke, TimeProvider time, ILogger logger)
    {
        _runtime = runtime;
        _files = files;
        _target = target;
        _tracker = tracker;
        _health = new ReplicationWatch(runtime.Options, time);
        _poke = poke;
        _ends = new WalEnds(runtime.Bucket, files.Organization, _target.ReplicaPath, logger);
        _lease = lease;
        _highWater = highWater;
        _time = time;
        _logger = logger;
    }

    /// <summary>Its process id; null while there is none.</summary>
    public int? Pid => _process is { HasEnded: false } process ? process.Pid : null;

    /// <summary>How often it was started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>What was done to make the bucket follow.</summary>
    public ReplicationRemedies Remedies => new(_pokes, _stalls, _kills, _deaths);

    /// <summary>What is wrong, for an operator; null when nothing is.</summary>
    public string? Problem { get; private set; }

    /// <summary>
    /// Whether Litestream has something to do: commits wait for the bucket, or it has begun a generation that cannot be published yet. An
    /// upload that fails before there was any commit is tried again only when something changes the database.
    /// </summary>
    public bool IsBehind => !_tracker.IsCaughtUp || _awaitsPublication;

    /// <summary>Starts it.</summary>
    public void Start()
    {
        // What runs from now on is nobody's request, though a request begins it.
        using (ExecutionContext.SuppressFlow()) _running = Task.Run(RunAsync);
    }

    /// <summary>Ends it for good, with a last sync, which proves nothing. What has to be in the bucket is proven before this is called.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await _running;
            await _publishing;
        }
        finally
        {
            EndRestartTurn();
            await _ends.StopAsync();
            _published.TrySetCanceled();
            _stopping.Dispose();
        }
    }

    private async Task RunAsync()
    {
        var backoff = _runtime.Options.RestartBackoff;
        while (!_stopping.IsCancellationRequested)
        {
            var started = _time.GetTimestamp();
            RestartReason reason;
            try
            {
                reason = await RunOnceAsync();
            }
            catch (Exception e)
            {
                // Whatever it is: without a Litestream nothing comes to the bucket any more.
                reason = RestartReason.Unwatched(e.Message);
            }
            if (_stopping.IsCancellationRequested) return;
            // A stall has just taken a turn for the next life. One that ends by itself may do so again and again: it keeps nobody waiting.
            if (reason.Code != RestartReason.Stalled(default).Code) EndRestartTurn();
            _tracker.GenerationEnded();

            if (_time.GetElapsedTime(started) > HealthyAfter) backoff = _runtime.Options.RestartBackoff;
            Restarts++;
            _runtime.Metrics.Restarted(reason);
            Problem = $"Litestream {reason.Text}; started again ({Restarts})";
            LogRestarting(_lease.Organization, reason.Text, backoff.TotalMilliseconds, Restarts);
            await Task.Delay(backoff, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backoff = TimeSpan.FromTicks(Math.Min(backoff.Ticks * 2, _runtime.Options.MaxRestartBackoff.Ticks));
        }
    }

    /// <summary>One life of the process.</summary>
    /// <returns>Why it ended.</returns>
    private async Task<RestartReason> RunOnceAsync()
    {
        _awaitsPublication = false;
        // Of one that ended by what came from outside, uploads may still arrive in the bucket, under names that the next one would use
        // again. A new generation has names of its own.
        _files.DeleteLitestreamState();
        LitestreamProcess process;
        try
        {
            process = LitestreamProcess.Start(_runtime.Binary, _runtime.Options, _runtime.Environment, _target);
        }
        catch (LitestreamException e)
        {
            LogCannotStart(_lease.Organization, e.Message);
            return RestartReason.NotStarted;
        }

        await using (process)
        {
            _process = process;
            _hasSnapshot = false;
            _isEnding = false;
            _files.WriteChild(process.Identity);
            LogStarted(_lease.Organization, process.Pid, _target.ReplicaPath);
            using var watch = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            var watching = WatchAsync(process, watch.Token);
            try
            {
                await foreach (var happened in process.Events.ReadAllAsync(CancellationToken.None)) Handle(happened);
            }
            finally
            {
                await watch.CancelAsync();
                await ((Task)watching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            if (await watching is { } reason) return reason;
            if (!_stopping.IsCancellationRequested) _deaths++;
            return RestartReason.Died;
        }
    }

    /// <summary>Ends the process when it is told to, when it hangs, or when what it uploads has a gap.</summary>
    /// <returns>Why it had to end; null when it ended by itself or was told to.</returns>
    private async Task<RestartReason?> WatchAsync(LitestreamProcess process, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(ReplicationWatch.Interval, _time);
        var started = _time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                // One that gets nowhere must not keep the others from their turn.
                if (_time.GetElapsedTime(started) > _runtime.Options.MaxLag) EndRestartTurn();
                if (!IsBehind && Published.IsCompletedSuccessfully) Problem = null;
                if (_tracker.HasGap)
                {
                    LogGap(_lease.Organization);
                    await EndAsync(process);
                    return RestartReason.Gap;
                }
                switch (_health.Judge(IsBehind, Allowance, () => process.Identity?.WaitedForCpu() ?? TimeSpan.Zero))
                {
                    case ReplicationRemedy.Poke when await _poke():
                        _health.Poked();
                        _runtime.Metrics.Poked();
                        LogPoked(_lease.Organization, _tracker.Lag.TotalSeconds, _tracker.LagBytes, ++_pokes);
                        break;
                    case ReplicationRemedy.Restart when TakeRestartTurn():
                        LogLagging(_lease.Organization, _tracker.Lag.TotalSeconds, _tracker.LagBytes);
                        _health.Restarted();
                        _stalls++;
                        await EndAsync(process);
                        return RestartReason.Stalled(_tracker.Lag);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            if (!await process.StopAsync(_runtime.Options.StopTimeout, CancellationToken.None))
            {
                _runtime.Metrics.Killed();
                LogKilled(_lease.Organization, _runtime.Options.StopTimeout.TotalSeconds);
            }
        }
        catch (OperationCanceledException)
        {
            // The process ended first.
        }
        catch (Exception e)
        {
            // Nobody else would notice that it hangs, or end it.
            await EndAsync(process);
            return RestartReason.Unwatched(e.Message);
        }
        return null;
    }

    /// <summary>Time in which an upload of what there is to upload could be under way, at the slowest rate that counts as progress.</summary>
    private TimeSpan Allowance => TimeSpan.FromSeconds(
        !_hasSnapshot ? (double)_files.Bytes / MinSnapshotBytesPerSecond
        // The first piece has the whole WAL, of whatever commits.
        : (double)(_awaitsPublication ? _files.WalBytes : _tracker.LagBytes) / MinWalBytesPerSecond);

    /// <summary>Asks the process to end, and kills it if it does not: one that hangs in an upload does not hear.</summary>
    private async Task EndAsync(LitestreamProcess process)
    {
        if (await process.StopAsync(StuckStopTimeout, CancellationToken.None)) return;
        _kills++;
        _runtime.Metrics.Killed();
        LogStuckKilled(_lease.Organization, StuckStopTimeout.TotalSeconds);
    }

    /// <summary>Tells of what the bucket has confirmed.</summary>
    /// <param name="confirmed">The commits.</param>
    /// <param name="position">The piece that had them, if that is known.</param>
    /// <param name="bytes">Its size.</param>
    public void Confirmed(Confirmation confirmed, string? position = null, long bytes = 0)
    {
        _runtime.Metrics.Confirmed(confirmed);
        if (confirmed is { Traced: { Count: > 0 } traced }) SiloActivities.AddUpload(traced, _time.GetUtcNow(), position, bytes);
    }

    private bool TakeRestartTurn()
    {
        if (Volatile.Read(ref _hasRestartTurn) != 0) return true;
        if (!_runtime.RestartTurns.Wait(0, CancellationToken.None)) return false;
        Volatile.Write(ref _hasRestartTurn, 1);
        return true;
    }

    private void EndRestartTurn()
    {
        if (Interlocked.Exchange(ref _hasRestartTurn, 0) != 0) _runtime.RestartTurns.Release();
    }

    private void Handle(LitestreamEvent happened)
    {
        if (_isEnding && happened.Kind is (LitestreamEventKind.SnapshotWritten or LitestreamEventKind.SegmentWritten))
        {
            LogNotBelieved(_lease.Organization, happened.Text);
            return;
        }
        if (happened.Kind is LitestreamEventKind.SnapshotWritten or LitestreamEventKind.SegmentWritten)
        {
            _health.Progressed();
            EndRestartTurn();
        }
        switch (happened.Kind)
        {
            case LitestreamEventKind.GenerationStarted:
                _generation = happened.Position.Generation;
                _hasSnapshot = false;
                _awaitsPublication = true;
                LogGeneration(_lease.Organization, happened.Text, happened.Position.Generation);
                break;
            case LitestreamEventKind.SnapshotWritten:
                _hasSnapshot = true;
                _runtime.Metrics.Snapshot(happened.Bytes);
                LogSnapshot(_lease.Organization, happened.Position, happened.Bytes);
                break;
            case LitestreamEventKind.SegmentWritten:
                var salt = WalPosition.ReadSalt(_files.ShadowWal(happened.Position));
                _runtime.Metrics.Segment(happened.Bytes);
                Confirmed(_tracker.Uploaded(happened.Position.Generation, salt, happened.Position.Offset + happened.Bytes), happened.Position.ToString(), happened.Bytes);
                BeginPublish(happened.Position.Generation);
                _ends.Uploaded(happened.Position, happened.Bytes, _stopping.Token);
                LogSegment(_lease.Organization, happened.Position, happened.Bytes);
                break;
            case LitestreamEventKind.Ending:
                _isEnding = true;
                LogLine(_lease.Organization, happened.Text);
                break;
            case LitestreamEventKind.Failure:
                Problem = happened.Text;
                _runtime.Metrics.Failed();
                _tracker.UploadFailed();
                _ends.UploadFailed();
                _health.Failed();
                LogFailure(_lease.Organization, happened.Text);
                break;
            default:
                if (happened.Level is "ERROR" or "WARN") LogFailure(_lease.Organization, happened.Text);
                else LogLine(_lease.Organization, happened.Text);
                break;
        }
    }
}
