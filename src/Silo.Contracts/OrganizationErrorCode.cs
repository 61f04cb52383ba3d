namespace Silo.Contracts;

/// <summary>
/// Every refusal that a caller can meet. The name in snake_case is the <c>code</c> of the HTTP answer (API.md, "Errors");
/// the gateway maps each to a status in one place.
/// </summary>
public enum OrganizationErrorCode
{
    /// <summary>The request cannot be understood.</summary>
    InvalidRequest,

    /// <summary>The text is not an organization id.</summary>
    InvalidOrganizationId,

    /// <summary>There is no valid token.</summary>
    Unauthenticated,

    /// <summary>The token's role does not allow this.</summary>
    Forbidden,

    /// <summary>The catalog has no such organization.</summary>
    OrganizationNotFound,

    /// <summary>The organization has no such contact.</summary>
    ContactNotFound,

    /// <summary>The organization has no such import.</summary>
    ImportNotFound,

    /// <summary>Another contact of the organization has this e-mail, or this phone and neither has an e-mail.</summary>
    ContactExists,

    /// <summary>The catalog has an organization of this id.</summary>
    OrganizationExists,

    /// <summary>The organization already runs an import.</summary>
    ImportInProgress,

    /// <summary>The body is larger than the configured limit.</summary>
    PayloadTooLarge,

    /// <summary>The content type or encoding is none of those accepted.</summary>
    UnsupportedMediaType,

    /// <summary>Fields break their rules; <see cref="OrganizationException.Errors"/> lists them.</summary>
    ValidationFailed,

    /// <summary>More requests wait than the configured limit.</summary>
    TooManyRequests,

    /// <summary>The database cannot be restored, or its replica cannot be reached.</summary>
    DatabaseUnavailable,

    /// <summary>This writer lost its lease; another owner serves the organization now.</summary>
    DatabaseMoved,

    /// <summary>The organization is being migrated; writes must wait.</summary>
    DatabaseProvisioning,

    /// <summary>Committed locally, but the bucket did not confirm it in time.</summary>
    DurabilityUnavailable,

    /// <summary>No silo can be reached.</summary>
    ClusterUnavailable,

    /// <summary>The replica has no state as old as the one that an operator asked for.</summary>
    RestorePointNotFound,

    /// <summary>No restore of this organization was asked for lately.</summary>
    RestoreNotFound,

    /// <summary>A restore of this organization runs already.</summary>
    RestoreInProgress,

    /// <summary>No migration of this organization was ever begun.</summary>
    MigrationNotFound,

    /// <summary>A migration, verification or rollback of this organization runs.</summary>
    MigrationInProgress,

    /// <summary>The lease is held by an owner that is alive.</summary>
    LockHeld,

    /// <summary>The organization has no lease that is held.</summary>
    LockNotFound,
}
