namespace Silo.Contracts.Databases;

/// <summary>The leases in the bucket, whoever holds them: silos of every cluster that shares it. Key 0.</summary>
[Alias("silo.ILocksGrain")]
public interface ILocksGrain : IGrainWithIntegerKey
{
    /// <summary>A page of those that were not given back.</summary>
    /// <param name="cursor"><see cref="LockPage.NextCursor"/> of the page before; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>: the bucket cannot be reached.</exception>
    [Alias("list")]
    Task<LockPage> List(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>Gives back the lease of an owner that is dead: one that has run out.</summary>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.LockHeld"/> while its owner may be alive, <see cref="OrganizationErrorCode.LockNotFound"/> when there is
    /// none, <see cref="OrganizationErrorCode.DatabaseUnavailable"/> when the bucket cannot be reached.
    /// </exception>
    [Alias("release")]
    Task Release(OrganizationId organization, CancellationToken cancellationToken);
}
