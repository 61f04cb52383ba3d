using Microsoft.Extensions.Logging;
using Silo.Contracts;
using Silo.Storage.Turso;

namespace Silo.Storage.Databases;

/// <summary>What a caller is told when a libSQL server fails; the cause is for the log.</summary>
internal static partial class TursoRefusal
{
    /// <summary>After which time the server may be there again.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    /// <summary>The wait where a request took all its time, so that callers do not queue up behind a dead server.</summary>
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(5);

    /// <summary>The wait where somebody has to act.</summary>
    private static readonly TimeSpan MuchLater = TimeSpan.FromSeconds(30);

    /// <summary>Makes the refusal, and logs the failure: as an error where an operator must act.</summary>
    public static OrganizationException Of(OrganizationId organization, TursoException failure, bool isWrite, ILogger logger)
    {
        if (failure.IsTransient) LogTransient(logger, organization, failure.Message);
        else LogFailed(logger, organization, failure.Message);
        if (isWrite && failure.MayHaveExecuted)
        {
            return new OrganizationException(
                OrganizationErrorCode.DatabaseUnavailable, "The organization's database server did not confirm the change: it may or may not have been made. Read before you send it again.", failure)
            {
                RetryAfter = Soon,
                MayHaveHappened = true,
            };
        }
        var (message, wait) = failure.Failure switch
        {
            TursoFailure.Unreachable => ("The organization's database server cannot be reached.", Soon),
            TursoFailure.Overloaded => ("The organization's database server has too much to do.", Soon),
            TursoFailure.StreamLost => ("The organization's database server gave up what was under way; nothing was changed.", Soon),
            TursoFailure.Unavailable or TursoFailure.Unanswered => ("The organization's database server does not answer.", Later),
            TursoFailure.Unauthorized => ("The organization's database server refuses the service's token; an operator must renew it.", MuchLater),
            TursoFailure.NotFound or TursoFailure.Address => ("The organization's database is not at the address that the catalog names; an operator must correct it.", MuchLater),
            TursoFailure.Refused when failure.IsTransient => ("The organization's database is busy.", Soon),
            TursoFailure.Refused => ("The organization's database refused what was asked; the log of the silo says why. Nothing was changed.", MuchLater),
            _ => ("The organization's database server gave an answer that cannot be used.", Later),
        };
        return new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, message, failure) { RetryAfter = failure.RetryAfter > wait ? failure.RetryAfter : wait };
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: {Problem}")]
    private static partial void LogTransient(ILogger logger, OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: {Problem}")]
    private static partial void LogFailed(ILogger logger, OrganizationId organization, string problem);
}
