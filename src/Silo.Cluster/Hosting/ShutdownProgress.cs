using Silo.Cluster.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>Says how many databases are not put away yet while the host stops, and at the end whether all are in the bucket.</summary>
internal sealed partial class ShutdownProgress(ActiveDatabases active, TimeProvider time, ILogger<ShutdownProgress> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopped = new();
    private Task _reporting = Task.CompletedTask;
    private int _total;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _total = active.OpenCount;
        if (_total > 0)
        {
            LogBegin(_total);
            _reporting = ReportAsync();
        }
        return Task.CompletedTask;
    }

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        await _stopped.CancelAsync();
        await _reporting;
        if (active.Kept.IsEmpty)
        {
            if (_total > 0) LogEnd(_total);
        }
        else
        {
            LogKept(active.Kept.Count, string.Join(", ", active.Kept.Select(organization => organization.Value)));
        }
        _stopped.Dispose();
    }

    private async Task ReportAsync()
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopped.Token)) LogProgress(active.OpenCount, _total);
        }
        catch (OperationCanceledException)
        {
            // All is said.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping: {Total} databases are being flushed to the bucket")]
    private partial void LogBegin(int total);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping: {Left} of {Total} databases are not put away yet")]
    private partial void LogProgress(int left, int total);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopped: all {Total} databases are in the bucket")]
    private partial void LogEnd(int total);

    [LoggerMessage(Level = LogLevel.Error, Message = "Stopped: {Count} databases are not proven to be in the bucket; their files stay in the data folder, and the next start here picks them up: {Organizations}")]
    private partial void LogKept(int count, string organizations);
}
