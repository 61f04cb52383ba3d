using System.Text;
using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Organizations;
using Silo.Storage.Contacts;
using Silo.Storage.Imports;
using Silo.Storage.Telemetry;
using Silo.Storage.Turso;

namespace Silo.Storage.Databases;

/// <summary>
/// One organization's database on Turso while it is active. There is no file, no Litestream and no lease: the server has committed what it
/// confirms, so every write is <see cref="Durability.Replicated"/>. A read changes nothing there, not even the shape of a table.
/// </summary>
/// <remarks>
/// Each write is one statement, so it needs no turn: the server runs one after the other, and the rules for contacts hold inside the
/// statement, whichever silo or cluster sends it.
/// </remarks>
public sealed partial class TursoOrgDatabase : IOrgDatabase
{
    /// <summary>How many writes are under way at once; more wait. The server runs one at a time, so this only hides the way to it.</summary>
    private const int MaxWriters = 8;

    private readonly TursoDatabase _remote;
    private readonly CatalogWatch _watch;
    private readonly TursoImportLock _importLock;
    private readonly DatabaseOptions _options;
    private readonly DatabaseMetrics? _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _writers = new(MaxWriters, MaxWriters);
    private readonly SemaphoreSlim _flushing = new(1, 1);
    private int _waitingReads;
    private int _waitingWrites;
    private int _writing;
    private volatile bool _closing;
    private volatile string? _problem;
    private volatile string? _migration;

    internal TursoOrgDatabase(TursoDatabase remote, CatalogWatch watch, TursoImportLock importLock, DatabaseOptions options, TimeProvider time, ILogger logger, DatabaseMetrics? metrics = null)
    {
        _metrics = metrics;
        _remote = remote;
        _watch = watch;
        _importLock = importLock;
        _options = options;
        _time = time;
        _logger = logger;
    }

    /// <inheritdoc/>
    public OrganizationId Organization => _remote.Organization;

    /// <inheritdoc/>
    public Durability LeastDurability => Durability.Replicated;

    /// <inheritdoc/>
    public Task Moved => _watch.Moved;

    /// <inheritdoc/>
    public bool IsMoved => _watch.Moved.IsCompleted;

    /// <summary>Copies are of files.</summary>
    public bool IsCopied => false;

    /// <summary>It needs no lease.</summary>
    public TimeSpan LeaseLeft => TimeSpan.MaxValue;

    /// <inheritdoc/>
    public bool IsFlushed => Volatile.Read(ref _writing) == 0;

    /// <inheritdoc/>
    public ValueTask<JsonBytes> ListAsync(ContactListQuery query, CancellationToken cancellationToken) => ReadAsync(
        query.Search is null ? DatabaseOperation.List : DatabaseOperation.Search,
        async sql =>
        {
            if (sql is null) return ContactPage.Write("[]"u8, null);
            TursoValue before = sql.Table.IsOrderText
                ? query.Cursor is null ? "\U0010FFFF" : ContactCursor.ParseText(query.Cursor)
                : query.Cursor is null ? long.MaxValue : ContactCursor.Parse(query.Cursor);
            TursoValue like = query.Search is null ? TursoValue.Null : ContactSql.Like(query.Search);
            var (items, count, oldest) = await PageAsync(sql, before, query.Limit, like, cancellationToken);
            var more = count == query.Limit && (await QueryAsync(like.IsNull ? sql.Older : sql.OlderMatch, Arguments(("before", oldest), ("like", like)), cancellationToken))[0][0].AsInteger() == 1;
            return ContactPage.Write(Encoding.UTF8.GetBytes(items), !more ? null : sql.Table.IsOrderText ? ContactCursor.Format(oldest.AsText()) : ContactCursor.Format(oldest.AsInteger()));
        },
        cancellationToken);

    /// <inheritdoc/>
    public ValueTask<JsonBytes> GetAsync(string id, CancellationToken cancellationToken) => ReadAsync(
        DatabaseOperation.Get, async sql => sql is null ? default : await FindAsync(sql, id, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<JsonBytes> CountAsync(CancellationToken cancellationToken) => ReadAsync(
        DatabaseOperation.Count, async sql => ContactSql.CountJson(sql is null ? 0 : (await QueryAsync(ContactSql.Count, [], cancellationToken))[0][0].AsInteger()), cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactExists"/>, or see <see cref="WriteAsync"/>.</exception>
    public Task<CommittedContact> CreateAsync(string id, ContactFields fields, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Insert, async () =>
        {
            var sql = await PrepareAsync(fields);
            if (sql.Table.Required.FirstOrDefault(column => LegacyContactSql.RequiredValue(column) is null) is { } unknown) throw CannotAdd(unknown);
            var time = ContactSql.Timestamp(_time.GetUtcNow());
            TursoException? conflict = null;
            try
            {
                var done = await _remote.ExecuteAsync(Writing(sql.Insert, id, fields, time), CancellationToken.None);
                if (done.AffectedRows > 0) return new CommittedContact(id, new JsonBytes(ContactJson.Write(id, fields, time)), 0);
            }
            catch (TursoException e) when (IsUniqueViolation(e))
            {
                conflict = e;
            }
            // One of this id is the same one, added before: whoever asked had lost the answer.
            return await FindAsync(sql, id, CancellationToken.None) is { Utf8: not null } same ? new CommittedContact(id, same, 0) : throw ContactSql.Exists(fields, conflict);
        },
        cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactNotFound"/>, <see cref="OrganizationErrorCode.ContactExists"/>, or see <see cref="WriteAsync"/>.</exception>
    public Task<CommittedContact> ReplaceAsync(string id, ContactFields fields, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Update, async () =>
        {
            var sql = await PrepareAsync(fields);
            try
            {
                var done = await _remote.ExecuteAsync(Writing(sql.Update, id, fields, ContactSql.Timestamp(_time.GetUtcNow())), CancellationToken.None);
                if (done.Rows.Count > 0) return new CommittedContact(id, Json(done.Rows[0][0]), 0);
            }
            catch (TursoException e) when (IsUniqueViolation(e))
            {
                throw ContactSql.Exists(fields, e);
            }
            throw await FindAsync(sql, id, CancellationToken.None) is { Utf8: null } ? NotFound() : ContactSql.Exists(fields, null);
        },
        cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ContactNotFound"/>, or see <see cref="WriteAsync"/>.</exception>
    public Task<CommittedContact> DeleteAsync(string id, bool isRepeated, CancellationToken cancellationToken) => WriteAsync(
        DatabaseOperation.Delete, async () =>
        {
            var sql = await LookAsync(CancellationToken.None);
            var isGone = sql is not null && (await _remote.ExecuteAsync(new TursoStatement(sql.Delete) { NamedArguments = Arguments(("id", id)) }, CancellationToken.None)).AffectedRows > 0;
            return isGone || isRepeated ? new CommittedContact(id, default, 0) : throw NotFound();
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task WaitReplicatedAsync(long commit, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public OrgDatabaseStatus Status() => new(null, 0, default, 0, 0, TimeSpan.Zero, 0, null, null, null, _problem)
    {
        DbType = OrganizationDbType.Turso,
        TursoUrl = _remote.Address.ToString(),
    };

    /// <summary>
    /// Says which migration waits with <see cref="FlushAsync"/>: what its freeze meets under way here is in its last comparison, and counts.
    /// Once it has ended, by whatever, this says nothing any more.
    /// </summary>
    internal void MigratedBy(string operation) => _migration = operation;

    /// <summary>Waits until the writes that are under way have ended. Who has set <c>is_db_provisioning</c> before knows then that there are none here.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await _flushing.WaitAsync(cancellationToken); // two that take places by turns would wait for each other
        var taken = 0;
        try
        {
            for (; taken < MaxWriters; taken++) await _writers.WaitAsync(cancellationToken);
        }
        finally
        {
            if (taken > 0) _writers.Release(taken);
            _flushing.Release();
        }
    }

    /// <inheritdoc/>
    public Task WaitUntilPublishedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        _closing = true;
        // Each write is bounded by Turso:TotalTimeout, and ends whether it is waited for or not.
        await FlushAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public Task AbandonAsync()
    {
        _closing = true;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await AbandonAsync();

    private async ValueTask<T> ReadAsync<T>(DatabaseOperation operation, Func<ContactSql?, Task<T>> read, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waitingReads) > _options.MaxWaitingReads)
        {
            Interlocked.Decrement(ref _waitingReads);
            throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "Too many reads of this organization wait already.") { RetryAfter = TimeSpan.FromSeconds(1) };
        }
        try
        {
            await _watch.BeforeReadAsync(cancellationToken);
            var result = await RunAsync(operation, async () => await read(_sql ?? await LookAsync(cancellationToken)));
            _problem = null;
            return result;
        }
        catch (TursoException e)
        {
            throw Refuse(e, isWrite: false);
        }
        finally
        {
            Interlocked.Decrement(ref _waitingReads);
        }
    }

    /// <summary>Makes a change. One that has begun is finished, whoever leaves meanwhile.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.TooManyRequests"/> when too many wait; <see cref="OrganizationErrorCode.DatabaseProvisioning"/> while the
    /// organization is being migrated; <see cref="OrganizationErrorCode.DatabaseUnavailable"/> when the server fails, or the organization was
    /// migrated meanwhile: nothing was done unless
    /// <see cref="OrganizationException.MayHaveHappened"/>.
    /// </exception>
    private async Task<T> WriteAsync<T>(DatabaseOperation operation, Func<Task<T>> write, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waitingWrites) > _options.MaxWaitingWrites)
        {
            Interlocked.Decrement(ref _waitingWrites);
            throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "Too many writes of this organization wait already.") { RetryAfter = TimeSpan.FromSeconds(1) };
        }
        try
        {
            await _writers.WaitAsync(cancellationToken);
            Interlocked.Increment(ref _writing);
            try
            {
                if (_closing) throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database is being put away.") { RetryAfter = TimeSpan.FromSeconds(1) };
                // In its place, so that who sets the flag and then waits for an empty place has seen the last one.
                await _watch.BeforeWriteAsync(cancellationToken);
                var result = await RunAsync(operation, write);
                _problem = null;
                await _watch.AfterWriteAsync(_migration);
                return result;
            }
            catch (TursoException e)
            {
                throw Refuse(e, isWrite: true);
            }
            finally
            {
                Interlocked.Decrement(ref _writing);
                _writers.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waitingWrites);
        }
    }

    private async Task<T> RunAsync<T>(DatabaseOperation operation, Func<Task<T>> run)
    {
        using var span = SiloActivities.StartOperation(operation.Name, DatabaseMetrics.Turso);
        var since = _metrics?.Begin() ?? 0;
        try
        {
            return await run();
        }
        finally
        {
            _metrics?.Ran(operation, since, DatabaseMetrics.Turso);
        }
    }

    /// <summary>A page; one that is too large for one answer of the server comes in halves.</summary>
    private async Task<(string Items, long Count, TursoValue Oldest)> PageAsync(ContactSql sql, TursoValue before, int limit, TursoValue like, CancellationToken cancellationToken)
    {
        try
        {
            var row = (await QueryAsync(like.IsNull ? sql.List : sql.Search, Arguments(("before", before), ("limit", limit), ("like", like)), cancellationToken))[0];
            return (row[0].AsText(), row[1].AsInteger(), row[2]);
        }
        catch (TursoException e) when (limit > 1 && (e.Failure == TursoFailure.TooLarge || e.Code == "SQLITE_TOOBIG"))
        {
            var newer = await PageAsync(sql, before, limit / 2, like, cancellationToken);
            if (newer.Count < limit / 2) return newer;
            var older = await PageAsync(sql, newer.Oldest, limit - (limit / 2), like, cancellationToken);
            return older.Count == 0 ? newer : ($"{newer.Items[..^1]},{older.Items[1..]}", newer.Count + older.Count, older.Oldest);
        }
    }

    private async Task<JsonBytes> FindAsync(ContactSql sql, string id, CancellationToken cancellationToken) =>
        await QueryAsync(sql.Get, Arguments(("id", id)), cancellationToken) is [[var contact]] ? Json(contact) : default;

    private async Task<IReadOnlyList<TursoValue[]>> QueryAsync(string sql, Dictionary<string, TursoValue> arguments, CancellationToken cancellationToken) =>
        (await _remote.QueryAsync(new TursoStatement(sql) { NamedArguments = arguments }, cancellationToken)).Rows;

    /// <summary>The parameters of a write that the statement has: the server refuses others.</summary>
    private TursoStatement Writing(string sql, string id, ContactFields fields, string time)
    {
        var arguments = new Dictionary<string, TursoValue>(StringComparer.Ordinal);
        var values = ContactSql.Values(id, fields, time);
        for (var i = 0; i < values.Length; i++) arguments.Add(ContactSql.Written[i][1..], (string?)values[i]);
        arguments.Add("emailGlob", LegacyContactSql.EmailGlob(fields.Email));
        arguments.Add("phoneLike", LegacyContactSql.PhoneLike(fields.Phone));
        arguments.Add("organization", Organization.Value);
        foreach (var name in arguments.Keys.Except(SqlParameters.Of(sql)).ToList()) arguments.Remove(name);
        return new TursoStatement(sql) { NamedArguments = arguments };
    }

    private static Dictionary<string, TursoValue> Arguments(params ReadOnlySpan<(string Name, TursoValue Value)> arguments)
    {
        var named = new Dictionary<string, TursoValue>(arguments.Length, StringComparer.Ordinal);
        // A search has its pattern, and what is no search has none.
        foreach (var (name, value) in arguments) if (!value.IsNull) named.Add(name, value);
        return named;
    }

    private static JsonBytes Json(TursoValue contact) => new(Encoding.UTF8.GetBytes(contact.AsText()));

    private static bool IsUniqueViolation(TursoException e) =>
        e.Code?.StartsWith("SQLITE_CONSTRAINT", StringComparison.Ordinal) == true && e.Message.Contains("UNIQUE constraint failed", StringComparison.Ordinal);

    private static OrganizationException NotFound() => new(OrganizationErrorCode.ContactNotFound, "There is no contact of this id.");

    private OrganizationException CannotAdd(TableColumn column)
    {
        LogCannotAdd(Organization, column.Name);
        return new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The organization's older table of contacts needs a value that this service does not know; an operator must name it. Contacts can be read, changed and deleted.")
        {
            RetryAfter = TimeSpan.FromSeconds(30),
        };
    }

    private OrganizationException Refuse(TursoException failure, bool isWrite)
    {
        // Its table may have changed behind our back: the next call looks at it again.
        if (failure is { Failure: TursoFailure.Refused, IsTransient: false }) Forget();
        _problem = failure.Message;
        return TursoRefusal.Of(Organization, failure, isWrite, _logger);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: no contact can be added, because the older table's column {Column} must have a value and has no default. Say in config/legacy-contacts.json ('required') which")]
    private partial void LogCannotAdd(OrganizationId organization, string column);
}
