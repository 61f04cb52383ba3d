namespace Silo.Storage.Lease;

/// <summary>
/// A look at the head that many callers share. Each gets one that began after it asked: an earlier one may have seen the head
/// before somebody else took it.
/// </summary>
/// <param name="look">Looks once.</param>
internal sealed class HeadCheck(Func<Task> look)
{
    private readonly Lock _lock = new();
    private Task _running = Task.CompletedTask; // under the lock
    private Task? _next; // under the lock; has not begun to look

    /// <summary>Completes with the first look that begins from now on.</summary>
    public Task RunAsync()
    {
        lock (_lock)
        {
            if (_next is { } waiting) return waiting;
            if (_running.IsCompleted) return _running = look();
            return _next = AfterAsync(_running);
        }
    }

    private async Task AfterAsync(Task running)
    {
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        Task looking;
        lock (_lock)
        {
            _running = _next!;
            _next = null;
            looking = look();
        }
        await looking;
    }
}
