using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Databases;

/// <summary>
/// Opens an organization's database: lease, restore of what the head names (or the file that a crash left here), proof, schema,
/// Litestream. Whatever fails leaves no process, no half-open file and no second owner behind.
/// </summary>
public sealed partial class OrgDatabaseOpening
{
    private const int Corrupt = 11; // SQLITE_CORRUPT
    private const int NotADatabase = 26; // SQLITE_NOTADB

    private static readonly TimeSpan OrphanPoll = TimeSpan.FromMilliseconds(20);

    /// <summary>The longest until a refused organization is looked at again: its owner may give it back at any moment.</summary>
    private static readonly TimeSpan HeldPoll = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<OrganizationId, byte> _open = new();
    private readonly BucketClient _bucket;
    private readonly HeadStore _heads;
    private readonly LitestreamRuntime _litestream;
    private readonly DatabaseOptions _options;
    private readonly DataDirectoryLock _directory;
    private readonly KnownDeaths _deaths;
    private readonly ReplicaRetention _retention;
    private readonly ActivationMetrics _activations;
    private readonly DatabaseMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ILoggerFactory _loggers;
    private readonly SemaphoreSlim _turns;

    /// <summary>Made once per silo.</summary>
    public OrgDatabaseOpening(
        BucketClient bucket, HeadStore heads, LitestreamRuntime litestream, IOptions<DatabaseOptions> options, DataDirectoryLock directory,
        KnownDeaths deaths, ReplicaRetention retention, ActivationMetrics activations, DatabaseMetrics metrics, TimeProvider time, ILoggerFactory loggers)
    {
        _activations = activations;
        _metrics = metrics;
        _bucket = bucket;
        _heads = heads;
        _litestream = litestream;
        _options = options.Value;
        _directory = directory;
        _deaths = deaths;
        _retention = retention;
        _time = time;
        _logger = loggers.CreateLogger("Silo.Storage.Replication");
        _loggers = loggers;
        _turns = new SemaphoreSlim(_options.MaxConcurrentActivations, _options.MaxConcurrentActivations);
    }

    /// <summary>Opens the database of an organization whose rows live in SQLite.</summary>
    /// <param name="organization">Its row of the catalog.</param>
    /// <param name="owner">This activation; which data folder it has is added.</param>
    /// <param name="phases">Receives how long each phase took, in milliseconds.</param>
    /// <param name="cancellationToken">Gives up; nothing stays open.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>, whatever the cause, which is inside.</exception>
    public Task<OrgDatabase> OpenAsync(Organization organization, HeadOwner owner, ActivationPhases phases, CancellationToken cancellationToken) =>
        OpenAsync(organization, owner, chosen: null, phases, cancellationToken);

    private async Task<OrgDatabase> OpenAsync(Organization organization, HeadOwner owner, ChosenFile? chosen, ActivationPhases phases, CancellationToken cancellationToken)
    {
        if (!_open.TryAdd(organization.Id, 0))
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database is still being put away on this silo.") { RetryAfter = TimeSpan.FromSeconds(1) };
        using var span = SiloActivities.Start("activate", organization.Id);
        OrgDatabase? opened = null;
        try
        {
            await _turns.WaitAsync(cancellationToken);
            try
            {
                phases.Done("queue");
                return opened = await OpenInTurnAsync(organization, owner with { DataDirectoryId = _directory.Identity }, chosen, phases, cancellationToken);
            }
            finally
            {
                _turns.Release();
            }
        }
        catch (OperationCanceledException e)
        {
            _activations.Failed(phases, e);
            span.Fail(e);
            LogFailed(organization.Id, $"not done after {phases}");
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The replica did not answer in time. Nothing is lost; try again.", e);
        }
        catch (LeaseHeldException e)
        {
            _activations.Failed(phases, e);
            span.Fail(e);
            LogHeld(e.Message);
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database is in use elsewhere; it is free when that use ends or its lease runs out.", e)
            {
                RetryAfter = e.Left < HeldPoll ? e.Left : HeldPoll,
            };
        }
        catch (Exception e) when (IsExplained(e))
        {
            _activations.Failed(phases, e);
            span.Fail(e);
            LogFailed(organization.Id, e.Message);
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, Explain(e), e);
        }
        finally
        {
            if (opened is null) _open.TryRemove(organization.Id, out _);
        }
    }

    private async Task<OrgDatabase> OpenInTurnAsync(Organization organization, HeadOwner owner, ChosenFile? chosen, ActivationPhases phases, CancellationToken cancellationToken)
    {
        var replicaPath = organization.GcsReplicaPath ?? throw new HeadException(organization.Id, "the catalog names no replica path.");
        var leftovers = OrgFiles.Find(_options.DataDirectory, organization.Id);
        foreach (var left in leftovers) await EndOrphanAsync(left, cancellationToken);

        var lease = await AcquireAsync(organization.Id, owner, replicaPath, leftovers, cancellationToken);
        phases.Done("lease");
        try
        {
            return await OpenOwnedAsync(lease, chosen, replicaPath, organization.Durability, leftovers, phases, cancellationToken);
        }
        catch
        {
            await lease.GiveUpAsync();
            throw;
        }
    }

    private async Task<OwnershipLease> AcquireAsync(
        OrganizationId organization, HeadOwner owner, string replicaPath, IReadOnlyList<OrgFiles> leftovers, CancellationToken cancellationToken)
    {
        // Listed while the head is read, so it costs no time.
        var listing = EpochPrefixes.ListAsync(_bucket, replicaPath, cancellationToken);
        // Without a database file no Litestream was ever started; and one that was is written down, and was ended above.
        bool IsLitestreamEnded(long epoch) => leftovers.Any(left => left.Epoch == epoch && (left.HasChild || !File.Exists(left.Database)));
        async Task<ReplicaReference?> InspectAsync(OrganizationHead? head, CancellationToken token)
        {
            var epochs = await listing;
            if (head is not null) await epochs.EnsureNoneIsAfterAsync(head, organization, _heads, token);
            return head?.Truth ?? await new UnpublishedReplica(_bucket, replicaPath, _logger).FindAsync(organization, head, token);
        }
        try
        {
            var former = new FormerOwner(owner, IsLitestreamEnded, _deaths, _heads.Options);
            return await OwnershipLease.AcquireAsync(organization, owner, _heads, InspectAsync, former.DrainOf, _loggers.CreateLogger("Silo.Storage.Lock"), cancellationToken);
        }
        finally
        {
            await ((Task)listing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<OrgDatabase> OpenOwnedAsync(
        OwnershipLease lease, ChosenFile? chosen, string replicaPath, Durability durability, IReadOnlyList<OrgFiles> leftovers, ActivationPhases phases,
        CancellationToken cancellationToken)
    {
        var files = new OrgFiles(_options.DataDirectory, lease.Organization, lease.Epoch);
        var writer = await Task.Run(() => chosen is null ? ContinueLeftover(leftovers, lease, files) : OpenChosen(chosen, leftovers, lease, files), CancellationToken.None);
        var isLeftover = writer is not null;
        if (writer is null)
        {
            try
            {
                files.CreateFolder();
                if (lease.Base is { } replica) await RestoreAsync(replicaPath, replica, files, cancellationToken);
                phases.Done("restore");
                writer = await Task.Run(() => OpenProven(files, lease), CancellationToken.None);
            }
            catch
            {
                // All of it came from the bucket, where it still is.
                files.Delete();
                throw;
            }
        }
        var target = new LitestreamTarget(files.Database, ReplicaReference.PrefixOf(replicaPath, lease.Epoch), durability);
        var database = new OrgDatabase(files, lease, target, writer, isLeftover, _litestream, _options, _metrics, _time, _logger, () => _open.TryRemove(lease.Organization, out _));
        phases.Done("open");
        _activations.Opened(phases, OutcomeOf(chosen, isLeftover, lease));
        _retention.Ask(lease.Organization, replicaPath, database.Published);
        LogOpened(lease.Organization, lease.Epoch, lease.Base?.Generation ?? "none", phases);
        return database;
    }

    private static string OutcomeOf(ChosenFile? chosen, bool isLeftover, OwnershipLease lease) =>
        chosen is not null ? ActivationMetrics.Chosen : isLeftover ? ActivationMetrics.Continued : lease.Base is null ? ActivationMetrics.New : ActivationMetrics.Restored;

    private async Task RestoreAsync(string replicaPath, ReplicaReference replica, OrgFiles files, CancellationToken cancellationToken)
    {
        await _litestream.Restore.RunAsync(files.Organization, replicaPath, replica, files.Restoring, cancellationToken);
        File.Move(files.Restoring, files.Database);
    }

    /// <summary>Opens the file, and closes it again when it is not whole, of another organization, or shorter than the head says.</summary>
    private static OrgWriter OpenProven(OrgFiles files, OwnershipLease lease)
    {
        var writer = new OrgWriter(files.Database);
        try
        {
            if (lease.Base is not null) OrgSchema.CheckWhole(writer.Connection, lease.Organization);
            OrgSchema.Migrate(writer.Connection, lease.Organization);
            var (found, expected) = (OrgSchema.ReadHighWater(writer.Connection), lease.Base?.HighWater ?? 0);
            return found >= expected
                ? writer
                : throw new SchemaException($"The file of {lease.Organization} ends before the last commit that the bucket had (mark {found} of {expected}): objects of the replica are missing. Restore them, or choose an older point (silo restore).", isUseless: true);
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Goes on from the file that a crash left on this machine, if its owner was the last one: then it holds all that the bucket
    /// has of it, and what was not uploaded any more. Files of other epochs are set aside.
    /// </summary>
    private OrgWriter? ContinueLeftover(IReadOnlyList<OrgFiles> leftovers, OwnershipLease lease, OrgFiles files)
    {
        OrgWriter? writer = null;
        foreach (var left in leftovers)
        {
            if (!File.Exists(left.Database))
            {
                left.Delete(); // a restore that did not end
            }
            else if (left.AreChosen && lease.Previous?.Current?.Epoch != left.Epoch)
            {
                // A crash came before the head named what an operator had chosen. The truth is what it was; the choice is in the bucket.
                left.Delete();
                LogChoiceDropped(lease.Organization, left.Epoch);
            }
            else if (writer is null && IsLastOwners(left, lease.Previous))
            {
                left.UnmarkChosen();
                files.TakeOver(left);
                try
                {
                    writer = OpenProven(files, lease);
                    LogContinued(lease.Organization, left.Epoch, lease.Epoch);
                }
                // Anything else, a full disk for one, may pass: the attempt fails, the file stays, and the next attempt continues it.
                catch (Exception e) when (e is SchemaException { IsUseless: true } or SqliteException { SqliteErrorCode: Corrupt or NotADatabase })
                {
                    LogSetAside(lease.Organization, left.Epoch, files.SetAside(_time.GetUtcNow()), e.Message);
                }
            }
            else
            {
                LogSetAside(lease.Organization, left.Epoch, left.SetAside(_time.GetUtcNow()), "another owner went on without it");
            }
        }
        return writer;
    }

    /// <summary>
    /// The file's epoch is the head's; or the head's owner came to nothing before it published, and the file's epoch is what it
    /// was to restore, or one that came to nothing since (it may be this silo itself, killed more than once between the lease and
    /// the publication).
    /// </summary>
    private static bool IsLastOwners(OrgFiles left, OrganizationHead? head) =>
        head is not null && (left.Epoch == head.Epoch || (head.Current is null && left.Epoch < head.Epoch && left.Epoch >= (head.Base?.Epoch ?? 0)));

    /// <summary>Ends the Litestream of a silo that was killed: with the bucket out of reach it may hang for good.</summary>
    private async Task EndOrphanAsync(OrgFiles left, CancellationToken cancellationToken)
    {
        if (left.ReadChild() is not { } orphan) return;
        LogOrphan(left.Organization, orphan.Pid, left.Epoch);
        orphan.Kill();
        // It is not our child, so the kernel tells nobody here when it is gone.
        while (orphan.IsAlive) await Task.Delay(OrphanPoll, _time, cancellationToken);
    }

    private static bool IsExplained(Exception e) =>
        e is BucketException or HeadException or HeadMovedException or LitestreamException or ReplicaIncompleteException or SchemaException
            or SqliteException or IOException or UnauthorizedAccessException;

    private static string Explain(Exception e) => e switch
    {
        BucketException => "The replica cannot be reached now. Nothing is lost; try again.",
        HeadMovedException => "Another owner took the database at the same moment. Try again.",
        IOException or UnauthorizedAccessException or SqliteException { SqliteErrorCode: OrgDatabase.DiskFull or OrgDatabase.InputOutput } => "The silo's disk refused to open the database. Nothing is lost; try again.",
        _ => "The database cannot be opened from its replica with proof that it is complete. An operator must look at it.",
    };
}
