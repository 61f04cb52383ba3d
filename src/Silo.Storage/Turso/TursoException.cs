using System.Net;

namespace Silo.Storage.Turso;

/// <summary>At which point a request to a libSQL server failed.</summary>
public enum TursoFailure
{
    /// <summary>The address is none that can be used. Nothing was sent.</summary>
    Address,

    /// <summary>There is no connection to the server. Nothing was sent.</summary>
    Unreachable,

    /// <summary>The token is missing, wrong, or does not allow this (401, 403), or its secret cannot be read. Nothing was executed.</summary>
    Unauthorized,

    /// <summary>There is no such database, or no libSQL server at this address (404). Nothing was executed.</summary>
    NotFound,

    /// <summary>The server has too much to do and says so (429, 503 with <c>Retry-After</c>, <c>TRANSACTION_BUSY</c>). Nothing was executed.</summary>
    Overloaded,

    /// <summary>The server failed (408, other 5xx). What was asked may have been executed.</summary>
    Unavailable,

    /// <summary>There was no whole answer, or none in time. What was asked may have been executed.</summary>
    Unanswered,

    /// <summary>
    /// The server has given up the stream, and with it what was not committed: nobody used it for about 10 s, its write transaction took
    /// longer than 5 s while another one waited, or the server was started anew. Begin the transaction again.
    /// </summary>
    StreamLost,

    /// <summary>The server refused what was asked, for the reason in <see cref="TursoException.Code"/>. The statement changed nothing.</summary>
    Refused,

    /// <summary>The answer is none that this protocol has. What was asked may have been executed.</summary>
    Malformed,

    /// <summary>There are more rows or bytes than are taken. What was asked may have been executed.</summary>
    TooLarge,
}

/// <summary>
/// A libSQL server could not do what was asked. The message names the organization, the action, the reason and the remedy; it never holds a
/// token, not even when the server repeats it.
/// </summary>
public sealed class TursoException : Exception
{
    internal const string TokenRemedy = "The token belongs into Turso:AuthToken, or into the secret that the organization refers to.";

    internal TursoException(TursoFailure failure, string message, Exception? innerException = null)
        : base(message, innerException) => Failure = failure;

    /// <summary>At which point it failed.</summary>
    public TursoFailure Failure { get; }

    /// <summary>The server's own code, such as <c>SQLITE_CONSTRAINT</c> or <c>STREAM_EXPIRED</c>; null when it gave none.</summary>
    public string? Code { get; internal init; }

    /// <summary>The status of the answer; null when there was none, or when the refusal came in an answer of status 200.</summary>
    public HttpStatusCode? Status { get; internal init; }

    /// <summary>How long the server asks to wait; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; internal init; }

    /// <summary>
    /// Whether what was asked may have been executed all the same. For a <see cref="TursoFailure.StreamLost"/> it is about the last request
    /// alone: it is true only if that may have committed.
    /// </summary>
    public bool MayHaveExecuted { get; internal init; }

    /// <summary>Whether the same may succeed later. Only when <see cref="MayHaveExecuted"/> is false may a change be made again without a look.</summary>
    public bool IsTransient => Failure is TursoFailure.Unreachable or TursoFailure.Overloaded or TursoFailure.Unavailable or TursoFailure.Unanswered
        or TursoFailure.StreamLost || Code is "SQLITE_BUSY" or "SQLITE_LOCKED";

    internal static string Remedy(TursoFailure failure) => failure switch
    {
        TursoFailure.Unauthorized => "Renew the token. " + TokenRemedy,
        TursoFailure.NotFound => "Check the organization's address, and that the database was not deleted.",
        TursoFailure.Unreachable or TursoFailure.Unanswered => "Check that the server runs and can be reached from here.",
        TursoFailure.Overloaded or TursoFailure.Unavailable => "The server is overloaded or failing: try again later.",
        TursoFailure.StreamLost => "Nothing of the transaction was kept unless it had been committed: begin it again.",
        TursoFailure.TooLarge => "Ask for less at once, or read it with a cursor.",
        TursoFailure.Malformed => "Check that the address is that of a libSQL server and of no proxy's own page.",
        _ => "The request was refused as it stands.",
    };
}
