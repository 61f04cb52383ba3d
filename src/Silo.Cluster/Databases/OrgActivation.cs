using Silo.Cluster.Warming;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Imports;
using Silo.Storage.Usage;

namespace Silo.Cluster.Databases;

/// <summary>What a silo knows of one activation while it lives: the grain writes it, the admin API reads it from other threads.</summary>
internal sealed class OrgActivation(OrganizationId organization, string silo, IdleTimes idleTimes, UsageJournal usage, TimeProvider time)
{
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastUse = time.GetTimestamp();
    private long _recordedAt; // of the last use that was told; 0 before the first
    private long _keptUntil;
    private long _reads;
    private long _writes;
    private volatile IOrgDatabase? _database;
    private volatile string? _problem;
    private volatile DatabaseState _state = DatabaseState.Activating;
    private volatile OrgImports? _imports;
    private volatile Durability _durability;
    private volatile IReadOnlyDictionary<string, double> _phases = new Dictionary<string, double>();

    public OrganizationId Organization { get; } = organization;

    /// <summary>The open database; null before and after.</summary>
    public IOrgDatabase? Database => _database;

    public DatabaseState State
    {
        get => _state;
        set => _state = value;
    }

    /// <summary>What the catalog says of the organization's writes; read when it was opened.</summary>
    public Durability Durability
    {
        get => _durability;
        set => _durability = value;
    }

    /// <summary>The imports of this activation; null until there can be any.</summary>
    public OrgImports? Imports
    {
        get => _imports;
        set => _imports = value;
    }

    /// <summary>Completes when the database was put away, or had to stay.</summary>
    public Task Gone => _gone.Task;

    /// <summary>Time since the last request.</summary>
    public TimeSpan Idle => time.GetElapsedTime(Interlocked.Read(ref _lastUse));

    /// <summary>The activation has ended.</summary>
    public void Ended() => _gone.TrySetResult();

    public void Opened(IOrgDatabase database, ActivationPhases phases)
    {
        _phases = phases.Milliseconds;
        _problem = null;
        _database = database;
        _state = DatabaseState.Active;
    }

    /// <summary>The database is being put away, and another state of it is opened in its place.</summary>
    public void Replacing()
    {
        _state = DatabaseState.Activating;
        _database = null;
    }

    public void Refused(string problem)
    {
        _problem = problem;
        _state = DatabaseState.Unavailable;
    }

    public void UsedForRead()
    {
        Use();
        Interlocked.Increment(ref _reads);
    }

    public void UsedForWrite()
    {
        Use();
        Interlocked.Increment(ref _writes);
    }

    /// <summary>Whether somebody has read or written, and not only had it opened.</summary>
    public bool IsUsed => Interlocked.Read(ref _recordedAt) != 0;

    /// <summary>When <see cref="Idle"/> comes to this it is put away, as things are now: after its own time, and not while somebody is still expected.</summary>
    public TimeSpan IdleTimeout
    {
        get
        {
            var (own, expected) = (idleTimes.Of(this), time.GetElapsedTime(Interlocked.Read(ref _lastUse), Interlocked.Read(ref _keptUntil)));
            return own > expected ? own : expected;
        }
    }

    /// <summary>Somebody is expected, for this long at most.</summary>
    public void Keep(TimeSpan keep) => Interlocked.Exchange(ref _keptUntil, time.GetTimestamp() + (long)(keep.TotalSeconds * time.TimestampFrequency));

    /// <summary>It is not idle, and not because somebody used it.</summary>
    public void Touch() => Interlocked.Exchange(ref _lastUse, time.GetTimestamp());

    private void Use()
    {
        Touch();
        var recorded = Interlocked.Read(ref _recordedAt);
        if (recorded != 0 && time.GetElapsedTime(recorded) < UsageJournal.Resolution) return;
        // Of requests at the same time one tells it.
        if (Interlocked.CompareExchange(ref _recordedAt, Math.Max(1, time.GetTimestamp()), recorded) != recorded) return;
        Interlocked.Exchange(ref _keptUntil, 0);
        usage.Used(Organization);
    }

    public DatabaseStatus Status()
    {
        var status = new DatabaseStatus
        {
            Organization = Organization,
            Silo = silo,
            State = _state,
            ActivatedAt = _startedAt,
            ActivationMs = _phases,
            IdleSeconds = Idle.TotalSeconds,
            IdleTimeoutSeconds = IdleTimeout.TotalSeconds,
            Reads = Interlocked.Read(ref _reads),
            Writes = Interlocked.Read(ref _writes),
            Problem = _problem,
            Imports = _imports?.Unfinished() ?? [],
        };
        if (_database is not { } open) return status;
        var database = open.Status();
        // On Turso nobody owns the rows, and the lease has no end.
        var lease = open.LeaseLeft;
        return status with
        {
            DbType = database.DbType,
            TursoUrl = database.TursoUrl,
            LitestreamPid = database.LitestreamPid,
            LitestreamRestarts = database.LitestreamRestarts,
            LitestreamPokes = database.Remedies.Pokes,
            LitestreamStalls = database.Remedies.Stalls,
            LitestreamKills = database.Remedies.Kills,
            LitestreamDeaths = database.Remedies.Deaths,
            DatabaseBytes = database.DatabaseBytes,
            WalBytes = database.WalBytes,
            ReplicationLagSeconds = database.Lag.TotalSeconds,
            ReplicationLagBytes = database.LagBytes,
            LastUploadAt = database.LastUploadAt,
            Epoch = database.Epoch,
            Generation = database.Generation,
            LeaseExpiresAt = lease < TimeSpan.MaxValue ? time.GetUtcNow() + lease : null,
            Durability = _durability > open.LeastDurability ? _durability : open.LeastDurability,
            Problem = database.Problem ?? _problem,
        };
    }
}
