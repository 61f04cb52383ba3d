using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Storage.Imports;

/// <summary>
/// Lets one import at a time into an organization on Turso, whichever cluster it comes from: the head in the bucket, which nobody else holds
/// for such an organization, with a lease of ten minutes that is renewed while the import runs. What a dead cluster left is taken when it
/// has run out, and cleared like any other lease.
/// </summary>
/// <remarks>It keeps work from being done twice. That no row comes in twice does not rest on it (<see cref="TursoContactMerge"/>).</remarks>
internal sealed class TursoImportLock(OrganizationId organization, HeadOwner owner, BucketClient bucket, KnownDeaths deaths, TimeProvider time, ILoggerFactory loggers)
{
    private static readonly LeaseOptions Term = new()
    {
        TimeToLive = TimeSpan.FromMinutes(10),
        RenewInterval = TimeSpan.FromMinutes(2),
        SafetyMargin = TimeSpan.FromMinutes(1),
        DrainTime = TimeSpan.Zero, // there is no Litestream that would go on
    };

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(5);

    /// <summary>Takes it.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.ImportInProgress"/>: another cluster has it.</exception>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task<OwnershipLease> TakeAsync(CancellationToken cancellationToken)
    {
        try
        {
            var former = new FormerOwner(owner, _ => true, deaths, Term);
            return await OwnershipLease.AcquireAsync(
                organization, owner, new HeadStore(bucket, time, Options.Create(Term)), (_, _) => Task.FromResult<ReplicaReference?>(null), former.DrainOf,
                loggers.CreateLogger("Silo.Storage.Lock"), cancellationToken);
        }
        catch (LeaseHeldException e)
        {
            throw new OrganizationException(OrganizationErrorCode.ImportInProgress, "Another cluster imports into this organization; it goes on when that one is done.", e)
            {
                RetryAfter = e.Left < Poll ? e.Left : Poll,
            };
        }
        catch (HeadException e)
        {
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The organization's head in the bucket cannot be understood, so nothing is imported.", e);
        }
    }
}
