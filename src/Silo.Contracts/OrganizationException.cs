namespace Silo.Contracts;

/// <summary>
/// An expected refusal of an organization's request: what was refused, and what the caller can do. A bug is never one of these.
/// </summary>
[GenerateSerializer, Alias("silo.OrganizationException")]
public sealed class OrganizationException : Exception
{
    /// <summary>Makes a refusal.</summary>
    /// <param name="code">Which refusal.</param>
    /// <param name="message">One sentence for the caller; it names no other organization, no path and no secret.</param>
    /// <param name="innerException">The cause, for the log of the silo that refused.</param>
    public OrganizationException(OrganizationErrorCode code, string message, Exception? innerException = null)
        : base(message, innerException) => Code = code;

    /// <summary>Which refusal.</summary>
    [Id(0)]
    public OrganizationErrorCode Code { get; private set; }

    /// <summary>After how long the same request may succeed; null when waiting does not help.</summary>
    [Id(1)]
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Field or row to its messages, with <see cref="OrganizationErrorCode.ValidationFailed"/>; otherwise null.</summary>
    [Id(2)]
    public IReadOnlyDictionary<string, string[]>? Errors { get; init; }

    /// <summary>True when the answer to a write was lost, so that it may have been done: repeated as it was, it is done once at most.</summary>
    [Id(3)]
    public bool MayHaveHappened { get; init; }

    /// <summary>The refusal of a text that is not an organization id.</summary>
    public static OrganizationException InvalidId() => new(
        OrganizationErrorCode.InvalidOrganizationId,
        "An organization id is 1 to 63 characters of a-z, 0-9, '_' and '-', and begins and ends with a letter or a digit.");
}
