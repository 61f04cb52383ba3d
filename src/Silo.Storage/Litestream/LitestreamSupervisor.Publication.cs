using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Litestream;

internal sealed partial class LitestreamSupervisor
{
    private static readonly TimeSpan PublishRetry = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource _published = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Exception? _moved;
    private volatile string? _generation;
    private volatile bool _awaitsPublication; // this process has begun a generation, and has not brought what it takes to publish it
    private Task _publishing = Task.CompletedTask;
    private string? _publishingGeneration;

    /// <summary>Completes when the head names a generation of this epoch; fails when the head has another owner.</summary>
    public Task Published => _published.Task;

    /// <summary>Why this activation may not write any more: the head has another owner, or cannot be trusted. Null while it may.</summary>
    public Exception? Moved => _moved;

    /// <summary>The generation that the head names; null before that.</summary>
    public string? PublishedGeneration => _lease.Current?.Generation;

    /// <summary>
    /// Names a generation in the head once it holds all that the one before it is known to hold. With the snapshot alone it need
    /// not: that is the file as the last checkpoint left it, and what has been committed since is in the first piece of WAL.
    /// </summary>
    private void BeginPublish(string generation)
    {
        if (generation == PublishedGeneration || generation == _publishingGeneration || !_tracker.Covers(generation)) return;
        _awaitsPublication = false;
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
                Confirmed(_tracker.Published(generation));
                _published.TrySetResult();
                LogPublished(_lease.Organization, _lease.Epoch, generation);
                return;
            }
            catch (Exception e) when (e is HeadMovedException or HeadException)
            {
                Problem = e.Message;
                _moved = e;
                LogMoved(_lease.Organization, e.Message);
                _published.TrySetException(e);
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The bucket as a rule; but whatever it is, nothing counts as replicated before this has succeeded.
                Problem = $"The generation could not be published: {e.Message}";
                LogPublishFailed(_lease.Organization, generation, e.Message);
                await Task.Delay(PublishRetry, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
