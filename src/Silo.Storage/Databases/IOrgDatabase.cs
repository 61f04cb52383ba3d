using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Imports;
using Silo.Storage.Imports;

namespace Silo.Storage.Databases;

/// <summary>
/// One organization's database while it is active, wherever its rows are: in SQLite (<see cref="OrgDatabase"/>) or on Turso
/// (<see cref="TursoOrgDatabase"/>). Reads run side by side and never wait for a write. What a method refuses, it refuses with an
/// <see cref="OrganizationException"/>.
/// </summary>
public interface IOrgDatabase : IAsyncDisposable
{
    /// <summary>Whose database this is.</summary>
    OrganizationId Organization { get; }

    /// <summary>How far a write has come at least when it returns.</summary>
    Durability LeastDurability { get; }

    /// <summary>Completes when the organization is not served from here any more; then this one only has to go.</summary>
    Task Moved { get; }

    /// <summary>Whether <see cref="Moved"/> has completed.</summary>
    bool IsMoved { get; }

    /// <summary>Whether it is being copied, so that it is in use.</summary>
    bool IsCopied { get; }

    /// <summary>For how long it may be written to without asking anyone again; zero while the bucket must be asked and does not answer.</summary>
    TimeSpan LeaseLeft { get; }

    /// <summary>Whether there is nothing left to wait for in <see cref="FlushAsync"/>.</summary>
    bool IsFlushed { get; }

    /// <summary>A page of contacts, newest first.</summary>
    ValueTask<JsonBytes> ListAsync(ContactListQuery query, CancellationToken cancellationToken);

    /// <summary>One contact; no text when there is none of this id.</summary>
    ValueTask<JsonBytes> GetAsync(string id, CancellationToken cancellationToken);

    /// <summary>How many contacts there are.</summary>
    ValueTask<JsonBytes> CountAsync(CancellationToken cancellationToken);

    /// <summary>Adds a contact, unless it is there.</summary>
    /// <param name="id">Its id, a new UUIDv7 (RFC 9562); the same when the call is repeated because its answer was lost.</param>
    /// <param name="fields">The contact.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    Task<CommittedContact> CreateAsync(string id, ContactFields fields, CancellationToken cancellationToken);

    /// <summary>Replaces a contact's fields.</summary>
    Task<CommittedContact> ReplaceAsync(string id, ContactFields fields, CancellationToken cancellationToken);

    /// <summary>Removes a contact.</summary>
    /// <param name="id">Which.</param>
    /// <param name="isRepeated">The call is repeated because its answer was lost: one that is gone was removed by it.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    Task<CommittedContact> DeleteAsync(string id, bool isRepeated, CancellationToken cancellationToken);

    /// <summary>Completes when a commit of this activation is <see cref="Durability.Replicated"/>.</summary>
    Task WaitReplicatedAsync(long commit, CancellationToken cancellationToken);

    /// <summary>What came of an import; null when the database knows of none of this id.</summary>
    ValueTask<ImportRecord?> FindImportAsync(string id, CancellationToken cancellationToken);

    /// <summary>A page of the audit trail, newest first.</summary>
    ValueTask<JsonBytes> ListAuditAsync(AuditQuery query, CancellationToken cancellationToken);

    /// <summary>What the admin API shows.</summary>
    OrgDatabaseStatus Status();

    /// <summary>Waits until all that was written is where it is safe. Reads and writes go on meanwhile.</summary>
    /// <exception cref="FlushException">It is not, in time.</exception>
    Task FlushAsync(CancellationToken cancellationToken);

    /// <summary>Puts the database away.</summary>
    /// <exception cref="FlushException">Not everything is safe yet. The database serves on, and this may be tried again.</exception>
    Task CloseAsync(CancellationToken cancellationToken);

    /// <summary>Ends everything; what is not safe yet stays on this machine.</summary>
    Task AbandonAsync();

    /// <summary>Completes when what is written can become durable: a file has begun its replica in the bucket, however long that takes.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseMoved"/>: it never will.</exception>
    Task WaitUntilPublishedAsync(CancellationToken cancellationToken);

    /// <summary>Takes staged rows in, with the record of it.</summary>
    /// <param name="merge">The rows.</param>
    /// <param name="record">The record, once the counts are known.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal Task<ImportRecord> MergeAsync(PendingMerge merge, Func<MergeCounts, ImportRecord> record, CancellationToken cancellationToken);

    /// <summary>Writes down that an import came to nothing.</summary>
    internal Task<ImportRecord> RecordAsync(ImportRecord record, CancellationToken cancellationToken);

    /// <summary>Completes when everything that was committed until now is <see cref="Durability.Replicated"/>, however long that takes.</summary>
    internal Task WaitFlushedAsync(CancellationToken cancellationToken);
}
