using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;

namespace Silo.Cluster.Databases;

internal sealed partial class OrgDatabaseGrain
{
    /// <inheritdoc/>
    public Task<RestoreStatus> CopyFrom(OrganizationId source, DateTimeOffset at, string? name, bool dryRun, CancellationToken cancellationToken) => RestoreAsync(
        new RestoreStatus { Organization = _activation.Organization, State = RestoreState.Running, DryRun = dryRun, At = at, StartedAt = time.GetUtcNow(), Source = source },
        copy => CopyAsync(copy, source, name), cancellationToken);

    private async Task<RestoreStatus> CopyAsync(RestoreStatus copy, OrganizationId from, string? name)
    {
        try
        {
            var source = WithPast(await FindAsync(from, _deactivating.Token));
            var target = new NewOrganization(_activation.Organization, name ?? source.Name, OrganizationDbType.Sqlite, null, source.Durability);
            if (await copies.MakeAsync(source, copy.At, target, copy.DryRun, _deactivating.Token) is { } made)
                copy = copy with { Epoch = made.Epoch, Generation = made.Generation, StateAt = made.StateAt, Contacts = made.Contacts };
        }
        catch (CatalogException e)
        {
            LogCatalog(_activation.Organization, e.Message);
            throw new OrganizationException(OrganizationErrorCode.ClusterUnavailable, "The catalog of organizations cannot be used now. Ask again in the same words.", e) { RetryAfter = RetryFlush };
        }
        return copy.DryRun ? copy : copy with { NewEpoch = await OpenCopyAsync() };
    }

    /// <summary>From here on it is an organization like any other. That it opens is the proof of the copy; and it is published under its own head at once.</summary>
    private async Task<long> OpenCopyAsync()
    {
        var database = await OpenAsync(_deactivating.Token);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_deactivating.Token);
        limit.CancelAfter(_options.FlushTimeout);
        try
        {
            if (database is OrgDatabase file) await file.WaitUntilPublishedAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!_deactivating.IsCancellationRequested)
        {
            // It is whole in the bucket all the same: its head names what it was made of.
            LogCopyUnpublished(_activation.Organization, _options.FlushTimeout.TotalSeconds);
        }
        return database.Status().Epoch ?? 0;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: made as a copy, and its own replica is not in the bucket after {Seconds} s")]
    private partial void LogCopyUnpublished(OrganizationId organization, double seconds);
}
