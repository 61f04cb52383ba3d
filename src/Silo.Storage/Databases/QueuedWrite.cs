using System.Diagnostics;
using Silo.Contracts;
using Silo.Storage.Contacts;

namespace Silo.Storage.Databases;

/// <summary>A change that waits for its turn, and from then on for the commit that it shares.</summary>
/// <param name="operation">What it is.</param>
/// <param name="contact">Which contact it changes.</param>
/// <param name="change">Does it; one statement, so that nothing is left of it where it throws.</param>
/// <param name="arrived">When it came.</param>
/// <param name="span">Its span, where it is traced.</param>
internal sealed class QueuedWrite(DatabaseOperation operation, string contact, Func<ContactWriter, CommittedContact> change, long arrived, Activity? span)
{
    private readonly TaskCompletionSource<CommittedContact> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isTaken; // whoever sets it ends it: the turn, or the caller who gives up
    private CommittedContact _done;
    private OrganizationException? _refusal;
    private long _began;

    /// <summary>When it came.</summary>
    public long Arrived => arrived;

    /// <summary>The id of the contact that it changes.</summary>
    public string Contact => contact;

    /// <summary>Whether it has changed anything.</summary>
    public bool IsDone => _began != 0 && _refusal is null;

    /// <summary>Its span, if that is recorded.</summary>
    public ActivityContext? TracedBy => span?.Context;

    /// <summary>Its turn has come; false when its caller no longer waits.</summary>
    public bool Take() => Interlocked.Exchange(ref _isTaken, 1) == 0;

    /// <summary>Does it. What it is refused for is for its own caller; what else it throws is for all that share its commit.</summary>
    public void Run(ContactWriter contacts, TimeProvider time)
    {
        span?.AddEvent(new ActivityEvent("turn"));
        _began = time.GetTimestamp();
        try
        {
            _done = change(contacts);
        }
        catch (OrganizationException e)
        {
            _refusal = e;
        }
    }

    /// <summary>Tells the caller how it ended.</summary>
    /// <param name="commit">The number of its commit.</param>
    /// <param name="metrics">Are told how long it took.</param>
    public void End(long commit, DatabaseMetrics metrics)
    {
        metrics.Ran(operation, _began);
        if (_refusal is null) _end.TrySetResult(_done with { Commit = commit });
        else _end.TrySetException(_refusal);
    }

    /// <summary>Tells the caller that nothing was changed, or that it may have been (<see cref="OrganizationErrorCode.DatabaseMoved"/>).</summary>
    public void Refuse(Exception cause) => _end.TrySetException(cause);

    /// <summary>Waits for its end. Who gives up before its turn has come takes it back; after that it ends soon.</summary>
    public async Task<CommittedContact> EndAsync(CancellationToken cancellationToken)
    {
        using var givingUp = cancellationToken.UnsafeRegister(
            static (write, token) =>
            {
                if (((QueuedWrite)write!).Take()) ((QueuedWrite)write)._end.TrySetCanceled(token);
            }, this);
        return await _end.Task;
    }
}
