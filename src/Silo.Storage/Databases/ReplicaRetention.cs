using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;

namespace Silo.Storage.Databases;

/// <summary>
/// Deletes the epochs that nobody needs any more. An epoch is what was true until the next one began, so it goes when that began
/// longer ago than <see cref="DatabaseOptions.ReplicaRetention"/>, by the bucket's clock: every moment since can be gone back to.
/// </summary>
/// <remarks>
/// Whoever publishes asks for it. It need not own the organization: what the head names as read here is never deleted, nor anything of
/// its epoch or a later one, and no later head names an older epoch.
/// </remarks>
public sealed partial class ReplicaRetention
{
    /// <summary>Objects that are deleted before it is the next organization's turn; the rest comes after that.</summary>
    private const int MaxDeletions = 1_000;

    private const int DeletionsAtOnce = 8;

    private const int MaxWaiting = 10_000;

    private readonly Channel<Due> _due = Channel.CreateBounded<Due>(new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly BucketClient _bucket;
    private readonly HeadStore _heads;
    private readonly DatabaseOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Made once per silo.</summary>
    public ReplicaRetention(BucketClient bucket, HeadStore heads, IOptions<DatabaseOptions> options, TimeProvider time, ILoggerFactory loggers)
    {
        _bucket = bucket;
        _heads = heads;
        _options = options.Value;
        _time = time;
        _logger = loggers.CreateLogger("Silo.Storage.Replication");
    }

    private readonly record struct Due(OrganizationId Organization, string ReplicaPath, Task Published);

    /// <summary>Looks at what was published, one organization after the other, until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await foreach (var due in _due.Reader.ReadAllAsync(cancellationToken))
        {
            await due.Published.WaitAsync(_options.ActivationTimeout, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!due.Published.IsCompletedSuccessfully) continue;
            try
            {
                if (await SweepAsync(due.Organization, due.ReplicaPath, cancellationToken) == MaxDeletions) _due.Writer.TryWrite(due);
            }
            catch (Exception e) when (e is BucketException or HeadException)
            {
                // The next activation tries again.
                LogFailed(due.Organization, e.Message);
            }
        }
    }

    /// <summary>Deletes what is due of one organization. When nothing is, that costs three short listings and two looks at the head.</summary>
    /// <returns>How many objects were deleted.</returns>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    /// <exception cref="HeadException">The head cannot be trusted.</exception>
    public async Task<int> SweepAsync(OrganizationId organization, string replicaPath, CancellationToken cancellationToken)
    {
        var epochs = await PastStates.EpochsAsync(_bucket, replicaPath, cancellationToken);
        if (epochs.Count < 2) return 0;
        // The head's last change is the bucket's clock: some seconds old at most, and only ever late.
        var now = (await _bucket.GetAsync(OrganizationHead.ObjectName(organization), cancellationToken))?.Updated;
        if (now is null || await _heads.ReadAsync(organization, cancellationToken) is not { Head: var head }) return 0;

        var deleted = 0;
        foreach (var epoch in epochs.Order().TakeWhile(epoch => epoch < head.Epoch))
        {
            if (epoch == head.Base?.Epoch || epoch == head.Current?.Epoch) continue;
            if (await SuccessorBeganAsync(replicaPath, epochs, epoch, cancellationToken) is not { } began || began > now - _options.ReplicaRetention) break;
            deleted += await DeleteAsync(replicaPath, epoch, MaxDeletions - deleted, cancellationToken);
            if (deleted >= MaxDeletions) break;
        }
        if (deleted > 0) LogDeleted(organization, deleted);
        return deleted;
    }

    internal void Ask(OrganizationId organization, string replicaPath, Task published) => _due.Writer.TryWrite(new Due(organization, replicaPath, published));

    /// <summary>When the next epoch began that has something to restore; null when there is none.</summary>
    private async Task<DateTimeOffset?> SuccessorBeganAsync(string replicaPath, List<long> epochs, long epoch, CancellationToken cancellationToken)
    {
        foreach (var later in epochs.Where(later => later > epoch).Order())
        {
            if (await new ReplicaInventory(_bucket).BeganAsync(replicaPath, later, cancellationToken) is { } began) return began;
        }
        return null;
    }

    private async Task<int> DeleteAsync(string replicaPath, long epoch, int most, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        // Of the older system's replica, which is in no epoch's folder, only that one folder.
        await foreach (var item in _bucket.ListAsync(ReplicaReference.PrefixOf(replicaPath, epoch) + (epoch == 0 ? "/generations/" : "/"), cancellationToken: cancellationToken))
        {
            if (names.Count == most) break;
            names.Add(item.Name);
        }
        await Parallel.ForEachAsync(names, new ParallelOptions { MaxDegreeOfParallelism = DeletionsAtOnce, CancellationToken = cancellationToken }, async (name, token) =>
            await _bucket.DeleteAsync(name, ifGenerationMatch: null, token));
        return names.Count;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: {Count} objects of epochs that nobody needs any more are deleted")]
    private partial void LogDeleted(OrganizationId organization, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: epochs that nobody needs any more could not be deleted; the next activation tries again: {Problem}")]
    private partial void LogFailed(OrganizationId organization, string problem);
}
