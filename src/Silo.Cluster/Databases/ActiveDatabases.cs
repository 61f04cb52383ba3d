using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Silo.Cluster.Placement;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Databases;

namespace Silo.Cluster.Databases;

/// <summary>The activations of this silo, and room for the next one: when it is full, the one that was idle longest is put away first.</summary>
internal sealed partial class ActiveDatabases(IOptions<DatabaseOptions> options, SiloResources resources, IGrainFactory grains, ILogger<ActiveDatabases> logger)
{
    private readonly DatabaseOptions _options = options.Value;
    private readonly ConcurrentDictionary<OrganizationId, OrgActivation> _activations = new();
    private readonly SemaphoreSlim _making = new(1, 1);
    private long _shed;

    /// <summary>How many have their files open.</summary>
    public int OpenCount => _activations.Values.Count(activation => activation.Database is not null);

    /// <summary>How many have their files open or are about to.</summary>
    public int Count => _activations.Values.Count(activation => activation.State != DatabaseState.Unavailable);

    /// <summary>How many were put away for others since the start.</summary>
    public long ShedCount => Interlocked.Read(ref _shed);

    /// <summary>The organizations whose files had to stay on this machine when they were put away.</summary>
    public ConcurrentBag<OrganizationId> Kept { get; } = [];

    public IEnumerable<OrgActivation> All => _activations.Values;

    public OrgActivation? Find(OrganizationId organization) => _activations.GetValueOrDefault(organization);

    /// <summary>Adds an activation once there is room for it.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the silo is full, and nothing on it is idle.</exception>
    public async Task AddAsync(OrgActivation activation, CancellationToken cancellationToken)
    {
        // One at a time: each looks at what the one before has left.
        await _making.WaitAsync(cancellationToken);
        try
        {
            if (IsFullFor(activation) || resources.IsMemoryTight) await MakeRoomAsync(activation, cancellationToken);
            _activations[activation.Organization] = activation;
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>Removes an activation, unless another one of the organization has taken its place.</summary>
    public void Remove(OrgActivation activation) =>
        _activations.TryRemove(new KeyValuePair<OrganizationId, OrgActivation>(activation.Organization, activation));

    private bool IsIdle(OrgActivation other) =>
        other.State == DatabaseState.Active && other.Idle >= _options.MinIdleToShed && other.Database is { IsCopied: false };

    private bool IsFullFor(OrgActivation activation) =>
        _activations.Values.Count(other => other != activation && other.State != DatabaseState.Unavailable) >= _options.MaxActive;

    private async Task MakeRoomAsync(OrgActivation activation, CancellationToken cancellationToken)
    {
        // Memory comes back some time after its user has gone: one goes for one that comes, whatever is measured meanwhile.
        var isFull = IsFullFor(activation);
        foreach (var idle in _activations.Values.Where(IsIdle).OrderByDescending(other => other.Idle).ToList())
        {
            if (!isFull && !resources.IsMemoryTight) return;
            if (!await ShedAsync(idle, cancellationToken)) continue;
            if (!IsFullFor(activation)) return;
        }
        if (!IsFullFor(activation)) return;
        throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "This silo holds as many databases as it may (Database:MaxActive), and none of them is idle.")
        {
            RetryAfter = TimeSpan.FromSeconds(5),
        };
    }

    private async Task<bool> ShedAsync(OrgActivation idle, CancellationToken cancellationToken)
    {
        try
        {
            await grains.GetGrain<IOrgDatabaseGrain>(idle.Organization.Value).Deactivate(cancellationToken);
            await idle.Gone.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is OrganizationException or TimeoutException or OrleansException)
        {
            LogNotShed(idle.Organization, e.Message);
            return false;
        }
        Interlocked.Increment(ref _shed);
        LogShed(idle.Organization, idle.Idle.TotalSeconds);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: put away after {Seconds:0} idle seconds, because another one needs its place")]
    private partial void LogShed(OrganizationId organization, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: could not be put away for another one: {Problem}")]
    private partial void LogNotShed(OrganizationId organization, string problem);
}
