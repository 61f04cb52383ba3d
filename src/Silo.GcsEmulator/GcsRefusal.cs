namespace Silo.GcsEmulator;

/// <summary>An answer other than success, in the words of GCS; turned into JSON or XML in one place, <c>RefusalAnswer</c>.</summary>
internal sealed class GcsRefusal(int status, string reason, string xmlCode, string message) : Exception(message)
{
    public int Status => status;

    /// <summary>The <c>reason</c> in the JSON error.</summary>
    public string Reason => reason;

    /// <summary>The <c>Code</c> in the XML error.</summary>
    public string XmlCode => xmlCode;

    /// <summary>The header of that name, when a range could not be had.</summary>
    public string? ContentRange { get; private init; }

    public static GcsRefusal Invalid(string message) => new(400, "invalid", "InvalidArgument", message);

    public static GcsRefusal Required(string parameter) => new(400, "required", "InvalidArgument", $"Required parameter: {parameter}");

    public static GcsRefusal Unsupported(string what) => new(400, "invalid", "InvalidArgument", $"The emulator does not support {what}.");

    public static GcsRefusal NoBucket(string bucket) =>
        new(404, "notFound", "NoSuchBucket", $"The specified bucket does not exist: {bucket}");

    public static GcsRefusal NoObject(string bucket, string name) => new(404, "notFound", "NoSuchKey", $"No such object: {bucket}/{name}");

    public static GcsRefusal NoUpload() => new(404, "notFound", "NoSuchUpload", "No such upload session.");

    public static GcsRefusal NoSuchPath(string path) => new(404, "notFound", "InvalidURI", $"Not Found: {path}");

    public static GcsRefusal NotAllowed(string method) => new(405, "methodNotAllowed", "MethodNotAllowed", $"{method} is not allowed here.");

    public static GcsRefusal BucketExists() =>
        new(409, "conflict", "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.");

    public static GcsRefusal BucketNotEmpty() => new(409, "conflict", "BucketNotEmpty", "The bucket you tried to delete is not empty.");

    public static GcsRefusal ConditionNotMet() =>
        new(412, "conditionNotMet", "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.");

    public static GcsRefusal NotModified() => new(304, "notModified", "NotModified", "Not Modified");

    public static GcsRefusal RangeNotSatisfiable(long size) =>
        new(416, "requestedRangeNotSatisfiable", "InvalidRange", "The requested range cannot be satisfied.") { ContentRange = $"bytes */{size}" };

    /// <summary>The emulator's own failure: a full disk, for one.</summary>
    public static GcsRefusal Failed(string message) => new(500, "backendError", "InternalError", message);

    /// <summary>What a fault plan's <c>status</c> answers.</summary>
    public static GcsRefusal Planned(int status) => status switch
    {
        401 => new(status, "authError", "AuthenticationRequired", "Planned fault."),
        403 => new(status, "forbidden", "AccessDenied", "Planned fault."),
        404 => new(status, "notFound", "NoSuchKey", "Planned fault."),
        408 => new(status, "requestTimeout", "RequestTimeout", "Planned fault."),
        412 => new(status, "conditionNotMet", "PreconditionFailed", "Planned fault."),
        429 => new(status, "rateLimitExceeded", "SlowDown", "Planned fault."),
        >= 500 => new(status, "backendError", status == 503 ? "ServiceUnavailable" : "InternalError", "Planned fault."),
        _ => new(status, "invalid", "InvalidArgument", "Planned fault."),
    };
}
