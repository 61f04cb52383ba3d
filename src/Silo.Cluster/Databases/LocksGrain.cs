using System.Net;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Cluster.Databases;

/// <summary>The leases in the bucket, for a gateway, which has no bucket. What it says is as old as the listing.</summary>
[StatelessWorker(1), GrainType("locks")]
internal sealed partial class LocksGrain(HeadStore heads, IOptions<LeaseOptions> options, ILogger<LocksGrain> logger) : Grain, ILocksGrain
{
    /// <summary>Most heads are of organizations at rest. One answer looks through so many pages of them, and then says where to go on.</summary>
    private const int MaxPages = 10;

    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public Task<LockPage> List(string? cursor, int limit, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var asked = cursor;
        var found = new List<LockStatus>();
        for (var pages = 0; pages < MaxPages; pages++)
        {
            // No page is larger than what is still wanted, so that no row is cut off behind its cursor.
            var page = await PageAsync(cursor, limit - found.Count, isAsked: cursor == asked, cancellationToken);
            found.AddRange(page.Entries.Where(entry => entry.State != HeadState.Released).Select(Describe));
            cursor = page.NextCursor;
            if (cursor is null || found.Count == limit) break;
        }
        return new LockPage(found, cursor);
    });

    /// <inheritdoc/>
    public Task Release(OrganizationId organization, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        if (await heads.ReadAsync(organization, cancellationToken) is not { Head.State: not HeadState.Released } held)
            throw new OrganizationException(OrganizationErrorCode.LockNotFound, "The organization has no lease that was not given back.");
        try
        {
            await heads.ReleaseExpiredAsync(organization, cancellationToken);
            LogReleased(organization, held.Head.Owner.Silo, held.Head.Owner.ClusterId, held.Head.Epoch);
            return true;
        }
        catch (LeaseHeldException e)
        {
            throw new OrganizationException(
                OrganizationErrorCode.LockHeld,
                $"Silo {e.Owner.Silo} of cluster {e.Owner.ClusterId} may be alive; its lease expires in {Math.Ceiling(e.Left.TotalSeconds):0} s unless it is renewed.", e);
        }
        catch (HeadMovedException e)
        {
            throw new OrganizationException(OrganizationErrorCode.LockHeld, "Another owner has just taken the organization.", e);
        }
    });

    private async Task<LeasePage> PageAsync(string? cursor, int limit, bool isAsked, CancellationToken cancellationToken)
    {
        try
        {
            return await heads.ListAsync(cursor, limit, cancellationToken);
        }
        catch (BucketException e) when (isAsked && cursor is not null && e.Status == HttpStatusCode.BadRequest)
        {
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "'cursor' is not the nextCursor of a page of locks.", e);
        }
    }

    private LockStatus Describe(LeaseEntry entry)
    {
        var left = entry.LeftOf(options.Value);
        return new LockStatus
        {
            Organization = entry.Organization,
            State = entry.State.ToString().ToLowerInvariant(),
            Epoch = entry.Epoch,
            Cluster = entry.ClusterId,
            Silo = entry.Silo,
            AgeSeconds = entry.Age.TotalSeconds,
            ExpiresInSeconds = Math.Max(0, left.TotalSeconds),
            Expired = left <= TimeSpan.Zero,
        };
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is BucketException or HeadException)
        {
            LogFailed(e.Message);
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, e.Message, e) { RetryAfter = TryAgain };
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the lease of silo {Silo} of cluster {Cluster}, epoch {Epoch}, had run out and is given back, because an operator asked for it")]
    private partial void LogReleased(OrganizationId organization, string silo, string cluster, long epoch);

    [LoggerMessage(Level = LogLevel.Error, Message = "The leases cannot be looked at: {Problem}")]
    private partial void LogFailed(string problem);
}
