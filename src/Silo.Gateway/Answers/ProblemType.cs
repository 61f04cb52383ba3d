using Silo.Contracts;

namespace Silo.Gateway.Answers;

/// <summary>
/// Everything that a caller can be refused with: the one table from a failure to its HTTP answer (RFC 9457; API.md, "Errors").
/// </summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">Stable, for programs.</param>
/// <param name="Title">The same for every occurrence, for people.</param>
internal sealed record ProblemType(int Status, string Code, string Title)
{
    public static readonly ProblemType InvalidRequest = new(400, "invalid_request", "The request cannot be understood");
    public static readonly ProblemType InvalidOrganizationId = new(400, "invalid_organization_id", "This is not an organization id");
    public static readonly ProblemType Unauthenticated = new(401, "unauthenticated", "A valid bearer token is needed");
    public static readonly ProblemType Forbidden = new(403, "forbidden", "The token does not allow this");
    public static readonly ProblemType NotFound = new(404, "not_found", "There is nothing at this path");
    public static readonly ProblemType ContactNotFound = new(404, "contact_not_found", "No such contact");
    public static readonly ProblemType DatabaseNotActive = new(404, "database_not_active", "The database is not active");
    public static readonly ProblemType OrganizationNotFound = new(404, "organization_not_found", "No such organization");
    public static readonly ProblemType ImportNotFound = new(404, "import_not_found", "No such import");
    public static readonly ProblemType RestorePointNotFound = new(404, "restore_point_not_found", "There is no state so old");
    public static readonly ProblemType RestoreNotFound = new(404, "restore_not_found", "No restore was asked for");
    public static readonly ProblemType MigrationNotFound = new(404, "migration_not_found", "No migration was begun");
    public static readonly ProblemType LockNotFound = new(404, "lock_not_found", "The organization is not locked");
    public static readonly ProblemType MethodNotAllowed = new(405, "method_not_allowed", "This path does not have this method");
    public static readonly ProblemType RequestTimeout = new(408, "request_timeout", "The request came too slowly");
    public static readonly ProblemType ContactExists = new(409, "contact_exists", "Another contact has this e-mail or phone");
    public static readonly ProblemType OrganizationExists = new(409, "organization_exists", "The id is taken");
    public static readonly ProblemType ImportInProgress = new(409, "import_in_progress", "An import is running");
    public static readonly ProblemType RestoreInProgress = new(409, "restore_in_progress", "A restore is running");
    public static readonly ProblemType MigrationInProgress = new(409, "migration_in_progress", "A migration is running");
    public static readonly ProblemType LockHeld = new(409, "lock_held", "The owner is alive");
    public static readonly ProblemType PayloadTooLarge = new(413, "payload_too_large", "The body is too large");
    public static readonly ProblemType UnsupportedMediaType = new(415, "unsupported_media_type", "The body has a type that is not accepted here");
    public static readonly ProblemType ValidationFailed = new(422, "validation_failed", "Some fields break their rules");
    public static readonly ProblemType TooManyRequests = new(429, "too_many_requests", "Too many requests at once");
    public static readonly ProblemType InternalError = new(500, "internal_error", "Something is wrong on our side");
    public static readonly ProblemType ClusterUnavailable = new(503, "cluster_unavailable", "No silo can be reached");
    public static readonly ProblemType DatabaseUnavailable = new(503, "database_unavailable", "The database cannot be opened now");
    public static readonly ProblemType DatabaseMoved = new(503, "database_moved", "The database has just moved");
    public static readonly ProblemType DatabaseProvisioning = new(503, "database_provisioning", "The database is being migrated");
    public static readonly ProblemType DurabilityUnavailable = new(503, "durability_unavailable", "The bucket has not confirmed the write");

    /// <summary>All of them, for the document of the API and for the tests.</summary>
    public static IReadOnlyList<ProblemType> All { get; } =
        [.. Enum.GetValues<OrganizationErrorCode>().Select(Of), NotFound, DatabaseNotActive, MethodNotAllowed, RequestTimeout, InternalError];

    /// <summary>A URI that names the type and needs no server to answer for it.</summary>
    public string Uri { get; } = "urn:silo:problem:" + Code;

    /// <summary>Whether the answer says when to try again.</summary>
    public bool HasRetryAfter => Status is 429 or 503;

    /// <summary>The answer to an expected refusal.</summary>
    public static ProblemType Of(OrganizationErrorCode code) => code switch
    {
        OrganizationErrorCode.InvalidRequest => InvalidRequest,
        OrganizationErrorCode.InvalidOrganizationId => InvalidOrganizationId,
        OrganizationErrorCode.Unauthenticated => Unauthenticated,
        OrganizationErrorCode.Forbidden => Forbidden,
        OrganizationErrorCode.OrganizationNotFound => OrganizationNotFound,
        OrganizationErrorCode.ContactNotFound => ContactNotFound,
        OrganizationErrorCode.ImportNotFound => ImportNotFound,
        OrganizationErrorCode.ContactExists => ContactExists,
        OrganizationErrorCode.OrganizationExists => OrganizationExists,
        OrganizationErrorCode.ImportInProgress => ImportInProgress,
        OrganizationErrorCode.PayloadTooLarge => PayloadTooLarge,
        OrganizationErrorCode.UnsupportedMediaType => UnsupportedMediaType,
        OrganizationErrorCode.ValidationFailed => ValidationFailed,
        OrganizationErrorCode.TooManyRequests => TooManyRequests,
        OrganizationErrorCode.DatabaseUnavailable => DatabaseUnavailable,
        OrganizationErrorCode.DatabaseMoved => DatabaseMoved,
        OrganizationErrorCode.DatabaseProvisioning => DatabaseProvisioning,
        OrganizationErrorCode.DurabilityUnavailable => DurabilityUnavailable,
        OrganizationErrorCode.ClusterUnavailable => ClusterUnavailable,
        OrganizationErrorCode.RestorePointNotFound => RestorePointNotFound,
        OrganizationErrorCode.RestoreNotFound => RestoreNotFound,
        OrganizationErrorCode.RestoreInProgress => RestoreInProgress,
        OrganizationErrorCode.MigrationNotFound => MigrationNotFound,
        OrganizationErrorCode.MigrationInProgress => MigrationInProgress,
        OrganizationErrorCode.LockHeld => LockHeld,
        OrganizationErrorCode.LockNotFound => LockNotFound,
        _ => InternalError, // a silo of a newer version knows a refusal that this gateway does not
    };

    /// <summary>The answer to a bare status, which routing, authentication or Kestrel has set.</summary>
    public static ProblemType OfStatus(int status) => status switch
    {
        401 => Unauthenticated,
        403 => Forbidden,
        404 => NotFound,
        405 => MethodNotAllowed,
        408 => RequestTimeout,
        413 => PayloadTooLarge,
        415 => UnsupportedMediaType,
        429 => TooManyRequests,
        503 => ClusterUnavailable,
        >= 500 => InternalError with { Status = status },
        400 => InvalidRequest,
        _ => InvalidRequest with { Status = status },
    };
}
