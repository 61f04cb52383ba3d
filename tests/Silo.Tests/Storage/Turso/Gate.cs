namespace Silo.Tests.Storage.Turso;

/// <summary>Stands open until a request is to be held, and then holds all that come until it is opened.</summary>
internal sealed class Gate
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isShut;

    /// <summary>A request is held.</summary>
    public Task Arrived => _arrived.Task;

    /// <summary>Shuts it, and begins what is to be held.</summary>
    public T Hold<T>(Func<T> begin)
    {
        _isShut = true;
        return begin();
    }

    /// <summary>Lets all pass, from now on.</summary>
    public void Open()
    {
        _isShut = false;
        _open.TrySetResult();
    }

    /// <summary>What a proxy waits for before it passes a request on.</summary>
    public async Task PassAsync()
    {
        if (!_isShut) return;
        _arrived.TrySetResult();
        await _open.Task.WaitAsync(TestContext.Current.CancellationToken);
    }
}
