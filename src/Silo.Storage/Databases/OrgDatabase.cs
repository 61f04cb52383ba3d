using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Contacts;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Databases;

/// <summary>
/// One organization's database while it is active: the file, its one writer, its readers, and the Litestream that copies it.
/// <see cref="OrgDatabaseOpening"/> makes it. Reads run side by side and never wait for a write; writes run one at a time.
/// </summary>
public sealed partial class OrgDatabase : IOrgDatabase
{
    internal const int DiskFull = 13; // SQLITE_FULL
    internal const int InputOutput = 10; // SQLITE_IOERR

    private readonly OrgFiles _files;
    private readonly OwnershipLease _lease;
    private readonly ContactReaderPool _readers;
    private readonly ContactCache _cache;
    private readonly OrgWriter _writer;
    private readonly ContactWriter _contacts;
    private readonly CheckpointInterlock _interlock;
    private readonly ReplicationTracker _tracker;
    private readonly LitestreamSupervisor _litestream;
    private readonly LitestreamOptions _litestreamOptions;
    private readonly DatabaseOptions _options;
    private readonly DatabaseMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action _afterClose;
    private readonly SemaphoreSlim _writeLock = new(1, 1);
    private long _highWater;
    private readonly long _openedAt;
    private volatile bool _closing;
    private volatile CatalogWatch? _watch; // null unless the catalog says, or may soon say, that nothing may be written

    internal OrgDatabase(
        OrgFiles files, OwnershipLease lease, LitestreamTarget target, OrgWriter writer, bool isLeftover, LitestreamRuntime runtime, DatabaseOptions options,
        DatabaseMetrics metrics, TimeProvider time, ILogger logger, Action closed)
    {
        // What a crash left may have rows that the bucket has not: it counts as changed until a mark of its own is there (invariant 3).
        _markedCommit = isLeftover ? -1 : 0;
        _afterClose = closed;
        _files = files;
        _lease = lease;
        _writer = writer;
        _options = options;
        _litestreamOptions = runtime.Options;
        _metrics = metrics;
        _time = time;
        _openedAt = time.GetTimestamp();
        _logger = logger;
        _highWater = OrgSchema.ReadHighWater(writer.Connection);
        _readers = new ContactReaderPool(files.Database, options.MaxReaders, options.MaxWaitingReads, metrics);
        _cache = new ContactCache(options.MaxCachedBytes);
        _contacts = new ContactWriter(writer.Connection, time);
        _interlock = new CheckpointInterlock(writer, _readers, runtime.Options, runtime.Options.MonitorIntervalOf(target.Durability), time);
        _tracker = new ReplicationTracker(writer.ReadSalt, time, writer.MeasureWal());
        _litestream = new LitestreamSupervisor(runtime, files, target, _tracker, lease, _highWater, PokeAsync, time, logger);
        lease.DurableMark = NoteDurableMark;
        _litestream.Start();
    }

    /// <summary>Whose database this is.</summary>
    public OrganizationId Organization => _files.Organization;

    /// <inheritdoc/>
    public Durability LeastDurability => Durability.Local;

    /// <summary>Whether another owner has the organization; then this one only has to go.</summary>
    public bool IsMoved => _litestream.Moved is not null || _lease.Moved.IsCompleted;

    /// <summary>Completes when the head names what this activation replicates; fails when it never will.</summary>
    internal Task Published => _litestream.Published;

    /// <summary>Whether every commit is in the bucket under the published generation.</summary>
    public bool IsFlushed => _tracker.IsCaughtUp;

    /// <summary>Age of the oldest commit that the bucket has not confirmed; zero when it has all.</summary>
    public TimeSpan Lag => _tracker.Lag;

    /// <summary>Bytes of WAL that the bucket has not confirmed.</summary>
    public long LagBytes => _tracker.LagBytes;

    /// <summary>Process id of its Litestream; null while there is none.</summary>
    public int? LitestreamPid => _litestream.Pid;

    /// <summary>What is wrong, for an operator; null when nothing is.</summary>
    public string? Problem => _lease.Problem ?? _litestream.Problem;

    /// <summary>Adds a contact, unless it is there.</summary>
    /// <param name="id">Its id, a new UUIDv7 (RFC 9562); the same when the call is repeated because its answer was lost.</param>
    /// <param name="fields">The contact.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactExists"/>, or see <see cref="WriteAsync"/>.</exception>
    public Task<CommittedContact> CreateAsync(string id, ContactFields fields, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Insert, id, contacts => new CommittedContact(id, contacts.Insert(id, fields), 0), cancellationToken);

    /// <summary>Replaces a contact's fields.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactNotFound"/>, <see cref="OrganizationErrorCode.ContactExists"/>, or see <see cref="WriteAsync"/>.</exception>
    public Task<CommittedContact> ReplaceAsync(string id, ContactFields fields, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Update, id, contacts => contacts.Replace(id, fields) is { Utf8: not null } contact ? new CommittedContact(id, contact, 0) : throw NotFound(), cancellationToken);

    /// <summary>Removes a contact.</summary>
    /// <param name="id">Which.</param>
    /// <param name="isRepeated">The call is repeated because its answer was lost: one that is gone was removed by it.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactNotFound"/>, or see <see cref="WriteAsync"/>.</exception>
    public Task<CommittedContact> DeleteAsync(string id, bool isRepeated, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Delete, id, contacts => contacts.Delete(id) || isRepeated ? new CommittedContact(id, default, 0) : throw NotFound(), cancellationToken);

    /// <summary>Completes when the bucket holds a commit of this activation under the published generation.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.DurabilityUnavailable"/>: not in time; the commit stays.
    /// <see cref="OrganizationErrorCode.DatabaseMoved"/>: another owner has the organization; the commit does not count.
    /// </exception>
    public async Task WaitReplicatedAsync(long commit, CancellationToken cancellationToken)
    {
        var since = _metrics.Begin();
        var outcome = "abandoned"; // unless the caller stays
        using var span = SiloActivities.Start("wait replicated");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_litestreamOptions.ReplicatedWait);
        try
        {
            await _tracker.WaitAsync(commit, limit.Token);
            // A former owner's upload arrives too; it counts only if the head is still ours after it (invariant 4).
            await _lease.VerifyAsync(limit.Token);
            outcome = "confirmed";
        }
        catch (HeadMovedException e)
        {
            outcome = "moved";
            throw MovedAway(e);
        }
        catch (Exception e) when (e is BucketException or HeadException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            outcome = "unavailable";
            throw new OrganizationException(
                OrganizationErrorCode.DurabilityUnavailable,
                $"The change is committed on the owning silo, but the bucket did not confirm it within {_litestreamOptions.ReplicatedWait.TotalSeconds:0} s. Do not send it again; it will be uploaded when the bucket can be reached.")
            {
                RetryAfter = TimeSpan.FromSeconds(5),
            };
        }
        finally
        {
            span?.SetTag("outcome", outcome);
            _metrics.Replicated(since, outcome);
        }
    }

    /// <summary>Completes when the head names what this activation replicates.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseMoved"/>: it never will.</exception>
    public async Task WaitUntilPublishedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _litestream.Published.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is HeadMovedException or HeadException)
        {
            throw MovedAway(e);
        }
    }

    /// <summary>
    /// From now on each write asks the catalog first: refused while it says that the organization is being moved
    /// (<see cref="OrganizationErrorCode.DatabaseProvisioning"/>), and once it was. It ends with the first write that the catalog lets through: from
    /// then on an outage of the catalog is nothing to the organization. The catalog must say so already.
    /// </summary>
    /// <param name="organization">Its row of the catalog.</param>
    /// <param name="catalog">The catalog.</param>
    public void FollowCatalog(Organization organization, OrganizationCatalog catalog) => _watch = new CatalogWatch(organization, catalog, _time);

    /// <summary>Whether writes ask the catalog.</summary>
    internal bool FollowsCatalog => _watch is not null;

    /// <summary>What the admin API shows.</summary>
    public OrgDatabaseStatus Status() => new(
        _litestream.Pid, _litestream.Restarts, _litestream.Remedies, Length(_files.Database), Length(_files.Database + "-wal"), _tracker.Lag, _tracker.LagBytes,
        _tracker.LastUploadAt, _lease.Epoch, _litestream.PublishedGeneration, Problem);

    private static long Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    private static OrganizationException NotFound() => new(OrganizationErrorCode.ContactNotFound, "There is no contact of this id.");

    private static OrganizationException MovedAway(Exception? cause) =>
        new(OrganizationErrorCode.DatabaseMoved, "Another owner serves this organization now.", cause) { RetryAfter = TimeSpan.FromSeconds(1) };

    private static OrganizationException Unavailable(string message, Exception? cause) =>
        new(OrganizationErrorCode.DatabaseUnavailable, message, cause) { RetryAfter = TimeSpan.FromSeconds(1) };
}

/// <summary>A change of a contact and the number of its commit.</summary>
/// <param name="Id">The contact's id.</param>
/// <param name="Contact">The contact as it is now; no text after a deletion.</param>
/// <param name="Commit">Its number in this activation, for <see cref="OrgDatabase.WaitReplicatedAsync"/>.</param>
public readonly record struct CommittedContact(string Id, JsonBytes Contact, long Commit);

/// <summary>What a database says of itself.</summary>
/// <param name="LitestreamPid">Process id of its Litestream.</param>
/// <param name="LitestreamRestarts">How often that was started again.</param>
/// <param name="Remedies">What was done to make the bucket follow.</param>
/// <param name="DatabaseBytes">Size of the file.</param>
/// <param name="WalBytes">Size of its WAL.</param>
/// <param name="Lag">Age of the oldest commit that the bucket has not confirmed.</param>
/// <param name="LagBytes">WAL bytes that the bucket has not confirmed.</param>
/// <param name="LastUploadAt">When it last confirmed anything.</param>
/// <param name="Epoch">The owner's epoch; null on Turso, where nobody owns.</param>
/// <param name="Generation">The published generation.</param>
/// <param name="Problem">What is wrong.</param>
public sealed record OrgDatabaseStatus(
    int? LitestreamPid, int LitestreamRestarts, ReplicationRemedies Remedies, long DatabaseBytes, long WalBytes, TimeSpan Lag, long LagBytes,
    DateTimeOffset? LastUploadAt, long? Epoch, string? Generation, string? Problem)
{
    /// <summary>Where the rows are.</summary>
    public OrganizationDbType DbType { get; init; } = OrganizationDbType.Sqlite;

    /// <summary>The address, of one on Turso; it holds no secret.</summary>
    public string? TursoUrl { get; init; }
}
