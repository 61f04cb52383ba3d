using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;
using Silo.Contracts;

namespace Silo.Storage.Litestream;

/// <summary>What one Litestream replicates.</summary>
/// <param name="DatabasePath">The database file.</param>
/// <param name="ReplicaPath">The object name prefix of this epoch, without a slash at the end.</param>
/// <param name="Durability">What the organization's writes wait for; it decides how often they are uploaded.</param>
public sealed record LitestreamTarget(string DatabasePath, string ReplicaPath, Durability Durability);

/// <summary>
/// One running <c>litestream replicate</c> and the <c>cat</c> that ties it to this process (<see cref="Lifeline"/>), its tether. Its log lines arrive on
/// <see cref="Events"/>, which completes when the process has ended.
/// </summary>
public sealed class LitestreamProcess : IAsyncDisposable
{
    private const string DatabaseVariable = "SILO_DATABASE";

    private readonly Process _process;
    private readonly Channel<LitestreamEvent> _events = Channel.CreateBounded<LitestreamEvent>(
        new BoundedChannelOptions(4096) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly Task _pump;
    private readonly string _database;
    private readonly int _niceness;
    private ChildProcess? _tether;
    private volatile bool _isNice;

    private LitestreamProcess(Process process, string database, int niceness)
    {
        _process = process;
        _database = database;
        _niceness = niceness;
        Pid = process.Id;
        Identity = ChildProcess.Find(process.Id);
        _pump = PumpAsync();
    }

    /// <summary>Its process id.</summary>
    public int Pid { get; }

    /// <summary>Its id and start time, to find it again after a crash of ours; null when it ended at once.</summary>
    public ChildProcess? Identity { get; }

    /// <summary>Whether it has ended and all that it said was read.</summary>
    public bool HasEnded => _pump.IsCompleted;

    /// <summary>What it says, in order. One reader. Completes when the process has ended and all was read.</summary>
    public ChannelReader<LitestreamEvent> Events => _events.Reader;

    /// <summary>Starts it. The environment carries all that differs between organizations.</summary>
    /// <exception cref="LitestreamException">The binary could not be started.</exception>
    public static LitestreamProcess Start(LitestreamBinary binary, LitestreamOptions options, LitestreamEnvironment bucket, LitestreamTarget target)
    {
        // Each of these becomes the next, with the same process id. setsid: Ctrl-C in a terminal is for us, who stop the children
        // in order. nice: before Go has made a thread that would keep the old priority.
        var start = new ProcessStartInfo("setsid", ["nice", "-n", options.Niceness.ToString(CultureInfo.InvariantCulture), binary.Path, "replicate", "-config", options.TemplatePath])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = Path.GetDirectoryName(target.DatabasePath)!,
        };
        bucket.ApplyTo(start, options);
        start.Environment["SILO_LIFELINE"] = Lifeline.Path;
        start.Environment[DatabaseVariable] = target.DatabasePath;
        start.Environment["GCS_REPLICA_PATH"] = target.ReplicaPath;
        start.Environment["LITESTREAM_MONITOR_INTERVAL"] = GoDuration(options.MonitorIntervalOf(target.Durability));
        start.Environment["LITESTREAM_SYNC_INTERVAL"] = GoDuration(options.SyncIntervalOf(target.Durability));
        start.Environment["LITESTREAM_SNAPSHOT_INTERVAL"] = GoDuration(options.SnapshotInterval);
        start.Environment["LITESTREAM_RETENTION"] = GoDuration(options.Retention);
        start.Environment["LITESTREAM_CHECKPOINT_PAGES"] = options.CheckpointPages.ToString(CultureInfo.InvariantCulture);
        try
        {
            var process = Process.Start(start) ?? throw new InvalidOperationException("No process was started.");
            process.StandardInput.Close();
            return new LitestreamProcess(process, target.DatabasePath, options.Niceness);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new LitestreamException($"Litestream ({binary.Path}) could not be started: {e.Message}", e);
        }
    }

    /// <summary>Asks it to do its last sync and end.</summary>
    /// <returns>Whether it ended within <paramref name="timeout"/>; if not, it was killed. That it ended says nothing about the bucket.</returns>
    public async Task<bool> StopAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        RememberTether();
        Identity?.Terminate();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            await _pump;
            return true;
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
            return false;
        }
    }

    /// <summary>Ends it and its tether without a last sync, and waits until both are gone.</summary>
    public async Task KillAsync()
    {
        RememberTether();
        if (!_process.HasExited) _process.Kill();
        await _pump;
    }

    /// <summary>Ends the process if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private static string GoDuration(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0}ms");

    private async Task PumpAsync()
    {
        Exception? failure = null;
        try
        {
            var output = ReadAsync(_process.StandardOutput);
            var errors = ReadAsync(_process.StandardError);
            await _process.WaitForExitAsync();
            // A tether that outlives a killed Litestream would be a leak, and it holds our pipes open. One that was started but not
            // seen yet is nobody's child any more; only its environment still says whose it was.
            if (_tether is { } tether) tether.Kill();
            else foreach (var orphan in ChildProcess.WithEnvironment($"{DatabaseVariable}={_database}")) orphan.Kill();
            await Task.WhenAll(output, errors);
        }
        catch (Exception e)
        {
            // The reader of the events hears of it; whoever waits for the end is to go on.
            failure = e;
        }
        finally
        {
            _events.Writer.Complete(failure);
        }
    }

    private async Task ReadAsync(StreamReader lines)
    {
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.Length == 0) continue;
            // It says nothing before it has its session. Until the kernel has time for it, every line tries again.
            _isNice = _isNice || Identity?.TrySetGroupNiceness(_niceness) == true;
            var happened = LitestreamEvent.Parse(line);
            // The tether is started before the first sync, and this is the first thing that a sync says.
            if (happened.Kind is LitestreamEventKind.GenerationStarted or LitestreamEventKind.SegmentStarted) RememberTether();
            await _events.Writer.WriteAsync(happened);
        }
    }

    private void RememberTether()
    {
        if (_tether is { IsAlive: true }) return;
        foreach (var child in Identity?.Children() ?? []) _tether = child;
    }
}
