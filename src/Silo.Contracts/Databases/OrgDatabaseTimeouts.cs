namespace Silo.Contracts.Databases;

/// <summary>How long callers wait for <see cref="IOrgDatabaseGrain"/>.</summary>
public static class OrgDatabaseTimeouts
{
    /// <summary>
    /// hh:mm:ss. Any call may be the first one and wait for a restore, so this is above the silo's time limit of an activation
    /// (<c>Database:ActivationTimeout</c>, at most 2 minutes): the caller then sees the silo's own refusal and not a bare time-out.
    /// </summary>
    public const string Call = "00:02:30";

    /// <summary>hh:mm:ss. What a piece of an export may take: how long a client waits until it is told that the silo is gone.</summary>
    public const string ExportRead = "00:00:10";

    /// <summary>How long the answer to a restore waits for its end.</summary>
    public static readonly TimeSpan RestoreWait = TimeSpan.FromSeconds(20);

    /// <summary>The longest that a call waits for the copy of an export; below the time-out of a call.</summary>
    public static readonly TimeSpan ExportWait = TimeSpan.FromSeconds(10);

    /// <summary>The longest that a call waits for the end of an import; the import goes on.</summary>
    public static readonly TimeSpan MaxImportWait = TimeSpan.FromSeconds(60);
}
