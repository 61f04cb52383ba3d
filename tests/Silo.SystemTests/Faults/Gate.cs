namespace Silo.SystemTests.Faults;

/// <summary>One way over the network: what comes passes, or is held until it may.</summary>
internal sealed class Gate
{
    private volatile TaskCompletionSource _passable = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Gate() => Open();

    /// <summary>Nothing passes any more, and nobody is told.</summary>
    public void Shut()
    {
        if (_passable.Task.IsCompleted) _passable = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>What was held passes, and what comes.</summary>
    public void Open() => _passable.TrySetResult();

    /// <summary>Waits until it is open.</summary>
    public Task PassAsync(CancellationToken cancellationToken) => _passable.Task.WaitAsync(cancellationToken);
}
