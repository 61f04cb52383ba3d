using Orleans.Concurrency;
using Silo.Contracts.Contacts;
using Silo.Contracts.Imports;
using Silo.Contracts.Migration;

namespace Silo.Contracts.Databases;

/// <summary>
/// One organization's database; the key is the <see cref="OrganizationId"/>. The first call restores it, and idleness puts it away.
/// Reads run side by side; writes take their turns inside, so that one that waits for the bucket holds up no other. Every call may refuse with an <see cref="OrganizationException"/>:
/// <see cref="OrganizationErrorCode.OrganizationNotFound"/>, <see cref="OrganizationErrorCode.DatabaseUnavailable"/> or
/// <see cref="OrganizationErrorCode.TooManyRequests"/>, and what its own text names.
/// </summary>
[Alias("silo.IOrgDatabaseGrain")]
public interface IOrgDatabaseGrain : IGrainWithStringKey
{
    /// <summary>A page: <c>{"items":[...],"nextCursor":...}</c>. A cursor that is not ours is <see cref="OrganizationErrorCode.InvalidRequest"/>.</summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("list")]
    ValueTask<JsonBytes> ListContacts(ContactListQuery query, CancellationToken cancellationToken);

    /// <summary>The contact, or no text when there is none of this id.</summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("get")]
    ValueTask<JsonBytes> GetContact(string contactId, CancellationToken cancellationToken);

    /// <summary>How many contacts there are: <c>{"count":n}</c>.</summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("count")]
    ValueTask<JsonBytes> CountContacts(CancellationToken cancellationToken);

    /// <summary>Adds a contact whose fields keep <see cref="ContactRules"/>. <see cref="OrganizationErrorCode.ContactExists"/> when it is there.</summary>
    /// <param name="contactId">Its id, a new UUIDv7 (RFC 9562). A call is repeated with the same one: then it happens once at most.</param>
    /// <param name="fields">The contact.</param>
    /// <param name="durability">What to wait for; null for the organization's own default.</param>
    /// <param name="cancellationToken">Gives up waiting; a write that has begun is finished.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("create")]
    ValueTask<ContactWritten> CreateContact(string contactId, ContactFields fields, Durability? durability, CancellationToken cancellationToken);

    /// <summary>Replaces a contact's fields. <see cref="OrganizationErrorCode.ContactNotFound"/>, <see cref="OrganizationErrorCode.ContactExists"/>.</summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("replace")]
    ValueTask<ContactWritten> ReplaceContact(string contactId, ContactFields fields, Durability? durability, CancellationToken cancellationToken);

    /// <summary>Removes a contact. <see cref="OrganizationErrorCode.ContactNotFound"/>.</summary>
    /// <param name="contactId">Which.</param>
    /// <param name="isRepeated">The answer to the same call was lost: a contact that is gone was removed by it.</param>
    /// <param name="durability">What to wait for; null for the organization's own default.</param>
    /// <param name="cancellationToken">Gives up waiting; a write that has begun is finished.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("delete")]
    ValueTask<ContactWritten> DeleteContact(string contactId, bool isRepeated, Durability? durability, CancellationToken cancellationToken);

    /// <summary>Activates the database, if it is not active, and returns when it can serve.</summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("warm")]
    Task Warm(CancellationToken cancellationToken);

    /// <summary>Opens the database for somebody who is expected, and counts as no use: one that is open already is not less idle for it.</summary>
    /// <param name="keep">How long at least it stays open if nobody comes.</param>
    /// <param name="cancellationToken">Gives up waiting; what has begun goes on.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("open-ahead")]
    Task OpenAhead(TimeSpan keep, CancellationToken cancellationToken);

    /// <summary>Flushes, stops replication and deletes the local file as soon as the running calls are done.</summary>
    [ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("deactivate")]
    Task Deactivate(CancellationToken cancellationToken);

    /// <summary>
    /// Goes back to the newest proven state at or before a moment, or only looks at it. Returns when that is done, or after
    /// <see cref="OrgDatabaseTimeouts.RestoreWait"/> while it runs on. Until a state is in place the database serves on, and afterwards
    /// what was the truth stays in the bucket. Refuses with <see cref="OrganizationErrorCode.RestorePointNotFound"/> and
    /// <see cref="OrganizationErrorCode.RestoreInProgress"/> too.
    /// </summary>
    /// <param name="at">The moment, by the bucket's clock.</param>
    /// <param name="dryRun">Finds, proves and counts, and changes nothing.</param>
    /// <param name="cancellationToken">Gives up waiting; what has begun goes on.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("restore")]
    Task<RestoreStatus> Restore(DateTimeOffset at, bool dryRun, CancellationToken cancellationToken);

    /// <summary>
    /// Makes this organization, which the catalog does not have yet, of what another one was at a moment, or only looks at that. The other
    /// one is only read, in the bucket. Until it is whole there is no such organization; asked for again in the same words, it goes on, or says
    /// that it is there. Refuses with <see cref="OrganizationErrorCode.OrganizationExists"/>, <see cref="OrganizationErrorCode.ValidationFailed"/>
    /// (the name) and what <see cref="Restore"/> refuses with too.
    /// </summary>
    /// <param name="source">The organization that is copied.</param>
    /// <param name="at">The moment, by the bucket's clock.</param>
    /// <param name="name">The new organization's name; null for that of the other.</param>
    /// <param name="dryRun">Finds, proves and counts, and changes nothing.</param>
    /// <param name="cancellationToken">Gives up waiting; what has begun goes on.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("copy-from")]
    Task<RestoreStatus> CopyFrom(OrganizationId source, DateTimeOffset at, string? name, bool dryRun, CancellationToken cancellationToken);

    /// <summary>The last restore or copy that was asked for; null when there was none lately. Asking opens nothing.</summary>
    [AlwaysInterleave, Alias("find-restore")]
    Task<RestoreStatus?> FindRestore(CancellationToken cancellationToken);

    /// <summary>
    /// Begins to move the organization between Turso and SQLite, or to compare both, and returns while that goes on; reads go on, and writes are
    /// refused with <see cref="OrganizationErrorCode.DatabaseProvisioning"/> for a bounded time. One that was moved already is answered with what is known. Refuses with
    /// <see cref="OrganizationErrorCode.MigrationInProgress"/>, <see cref="OrganizationErrorCode.ImportInProgress"/>,
    /// <see cref="OrganizationErrorCode.RestoreInProgress"/> and <see cref="OrganizationErrorCode.InvalidRequest"/> (it is not where this could begin) too.
    /// </summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("migrate")]
    Task<MigrationStatus> Migrate(MigrationRequest request, CancellationToken cancellationToken);

    /// <summary>How far the last migration, verification or rollback has come; null when there was none. Asking opens nothing.</summary>
    [AlwaysInterleave, Alias("find-migration")]
    Task<MigrationStatus?> FindMigration(CancellationToken cancellationToken);

    /// <summary>
    /// Begins to copy the database to a file that can then be fetched, beside everything else. Refuses with
    /// <see cref="OrganizationErrorCode.TooManyRequests"/> too when the silo has as many exports as it may.
    /// </summary>
    /// <returns>The key of an <see cref="IExportGrain"/>.</returns>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("begin-export")]
    Task<Guid> BeginExport(CancellationToken cancellationToken);

    /// <summary>
    /// Says, before its file is sent, whether an import may begin: what is known of it if there was one of this id, null if it may.
    /// <see cref="OrganizationErrorCode.ImportInProgress"/> when too many wait.
    /// </summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("prepare-import")]
    Task<ImportStatus?> PrepareImport(string importId, CancellationToken cancellationToken);

    /// <summary>
    /// Takes in a file that is in the bucket (<c>imports/{org}/{id}</c>), beside everything else. From the answer on it happens whatever
    /// ends, unless it fails. An id that is known is answered with what is known. <see cref="OrganizationErrorCode.ImportInProgress"/>
    /// when too many wait.
    /// </summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("begin-import")]
    Task<ImportStatus> BeginImport(StagedImport import, CancellationToken cancellationToken);

    /// <summary>How far an import has come, after its end or after a while. <see cref="OrganizationErrorCode.ImportNotFound"/>.</summary>
    /// <param name="importId">Which.</param>
    /// <param name="wait">For how long to wait for its end, at most <see cref="OrgDatabaseTimeouts.MaxImportWait"/>; zero to look only.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("find-import")]
    Task<ImportStatus> FindImport(string importId, TimeSpan wait, CancellationToken cancellationToken);

    /// <summary>A page of the audit trail: <c>{"items":[...],"nextCursor":...}</c>. A cursor that is not ours is <see cref="OrganizationErrorCode.InvalidRequest"/>.</summary>
    [AlwaysInterleave, ResponseTimeout(OrgDatabaseTimeouts.Call), Alias("audit")]
    ValueTask<JsonBytes> ListAudit(AuditQuery query, CancellationToken cancellationToken);
}
