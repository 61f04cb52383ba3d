using Microsoft.Extensions.Logging;
using Silo.Contracts;

namespace Silo.Storage.Litestream;

internal sealed partial class LitestreamSupervisor
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "Organization {Organization}: Litestream {Pid} replicates to {Prefix}")]
    private partial void LogStarted(OrganizationId organization, int pid, string prefix);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Organization {Organization}: Litestream says: {Text} ({Generation})")]
    private partial void LogGeneration(OrganizationId organization, string text, string generation);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Organization {Organization}: snapshot {Position} is in the bucket, {Bytes} bytes")]
    private partial void LogSnapshot(OrganizationId organization, ReplicaPosition position, long bytes);

    [LoggerMessage(Level = LogLevel.Trace, Message = "Organization {Organization}: segment {Position} is in the bucket, {Bytes} bytes")]
    private partial void LogSegment(OrganizationId organization, ReplicaPosition position, long bytes);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Organization {Organization}: Litestream says while it ends: {Text}")]
    private partial void LogNotBelieved(OrganizationId organization, string text);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Organization {Organization}: epoch {Epoch} published generation {Generation}")]
    private partial void LogPublished(OrganizationId organization, long epoch, string generation);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Organization {Organization}: Litestream says: {Text}")]
    private partial void LogLine(OrganizationId organization, string text);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: Litestream says: {Text}")]
    private partial void LogFailure(OrganizationId organization, string text);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: Litestream {Reason}; it is started again in {DelayMs} ms (restart {Restarts})")]
    private partial void LogRestarting(OrganizationId organization, string reason, double delayMs, int restarts);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: {Problem} Commits stay on this machine until it can be started")]
    private partial void LogCannotStart(OrganizationId organization, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the bucket is {Seconds:0.0} s and {Bytes} bytes behind without progress; Litestream is ended and started again")]
    private partial void LogLagging(OrganizationId organization, double seconds, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: the bucket is {Seconds:0.0} s and {Bytes} bytes behind; Litestream is made to try again (poke {Pokes})")]
    private partial void LogPoked(OrganizationId organization, double seconds, long bytes, int pokes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: it did not end within {Seconds} s; Litestream is killed and started again")]
    private partial void LogStuckKilled(OrganizationId organization, double seconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the WAL was checkpointed before Litestream had copied all of it; a new generation is begun. Look for another program that opens the file")]
    private partial void LogGap(OrganizationId organization);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: Litestream did not end within {Seconds} s and was killed; nothing was waiting for it")]
    private partial void LogKilled(OrganizationId organization, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: generation {Generation} could not be published: {Problem}")]
    private partial void LogPublishFailed(OrganizationId organization, string generation, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: ownership is lost, writes are refused: {Problem}")]
    private partial void LogMoved(OrganizationId organization, string problem);
}
