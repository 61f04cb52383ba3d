using System.Net;

namespace Silo.Storage.Gcs;

/// <summary>
/// The bucket refused a conditional change, because the object is not at the expected generation (412). Someone else changed it, or an
/// earlier try of ours went through and its answer was lost: read the object before deciding which.
/// </summary>
public sealed class BucketPreconditionException : Exception
{
    internal BucketPreconditionException(string action)
        : base($"Cannot {action}: it is not at the expected generation. Read it again before deciding.")
    {
    }
}

/// <summary>The bucket could not do what was asked. The message names the action, the object and the remedy.</summary>
public sealed class BucketException : Exception
{
    internal BucketException(string message, HttpStatusCode? status, bool isTransient, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = status;
        IsTransient = isTransient;
    }

    /// <summary>The status of the answer; null when there was none.</summary>
    public HttpStatusCode? Status { get; }

    /// <summary>
    /// True when the same call may succeed later. After a change that was not repeated by itself (one with a generation to match), it
    /// also means that the outcome is unknown: the change may have been made.
    /// </summary>
    public bool IsTransient { get; }

    /// <summary>True of the statuses that Google says to try again.</summary>
    internal static bool IsTransientStatus(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;

    /// <summary>The failure that an answer stands for.</summary>
    /// <param name="action">What was being done to which object, as in "read object heads/a.json of bucket b".</param>
    /// <param name="status">The status of the answer.</param>
    /// <param name="reason">The bucket's own words; may be empty.</param>
    internal static BucketException Answered(string action, HttpStatusCode status, string reason)
    {
        var remedy = status switch
        {
            HttpStatusCode.Unauthorized => "The credentials were refused: renew the Application Default Credentials of this process.",
            HttpStatusCode.Forbidden => "Give the account of this process the role Storage Object User (roles/storage.objectUser) on the bucket.",
            HttpStatusCode.NotFound => "Create the bucket, or correct Gcs:BucketName (GCS_BUCKET_NAME).",
            HttpStatusCode.RequestEntityTooLarge => "The object is too large for one request.",
            _ when IsTransientStatus(status) => "The bucket is overloaded or failing: try again later.",
            _ => "The request was refused as it stands: this is a fault of the program or of its settings.",
        };
        return new BucketException($"Cannot {action}: {(int)status} {Sentence(reason)}{remedy}", status, IsTransientStatus(status));
    }

    /// <summary>The failure of a call that got no whole answer.</summary>
    internal static BucketException Unanswered(string action, string reason, Exception? innerException = null) => new(
        $"Cannot {action}: {Sentence(reason)}Check that the bucket can be reached from here (Gcs:EmulatorHost or STORAGE_EMULATOR_HOST when it is an emulator).",
        null, isTransient: true, innerException);

    private static string Sentence(string text)
    {
        text = text.Trim();
        return text.Length == 0 ? "" : text.EndsWith('.') ? text + " " : text + ". ";
    }
}
