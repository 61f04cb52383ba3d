using Microsoft.Extensions.Logging;
using Silo.Contracts;

namespace Silo.Storage.Databases;

public sealed partial class OrgDatabaseOpening
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Organization {Organization}: open in epoch {Epoch}, restored from {Generation} ({Phases})")]
    private partial void LogOpened(OrganizationId organization, long epoch, string generation, ActivationPhases phases);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: goes on in epoch {Epoch} from the file that epoch {Left} left on this machine")]
    private partial void LogContinued(OrganizationId organization, long left, long epoch);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the file of epoch {Left} is kept at {Path} and not used: {Reason}")]
    private partial void LogSetAside(OrganizationId organization, long left, string path, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: Litestream {Pid} of epoch {Left} outlived its silo and is killed; its file is here")]
    private partial void LogOrphan(OrganizationId organization, int pid, long left);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: an older state was about to take the place of the truth in epoch {Left}, and did not; the truth is what it was")]
    private partial void LogChoiceDropped(OrganizationId organization, long left);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Organization {Organization}: epoch {Epoch} goes on from {Origin}, because an operator chose it. What was the truth in the bucket before stays there")]
    private partial void LogChosen(OrganizationId organization, long epoch, string origin);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Problem}")]
    private partial void LogHeld(string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Organization {Organization}: the database cannot be opened: {Problem}")]
    private partial void LogFailed(OrganizationId organization, string problem);
}
