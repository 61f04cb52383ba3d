namespace Silo.Contracts.Migration;

/// <summary>How far a migration has come. The order is that of the steps; the last three are ends.</summary>
public enum MigrationStep
{
    /// <summary>The source is looked at.</summary>
    Preflight,

    /// <summary>Its rows are copied; it is written to as before.</summary>
    Copying,

    /// <summary>Writes are refused; those that had begun are waited for.</summary>
    Freezing,

    /// <summary>What was written during the copy is copied.</summary>
    CatchingUp,

    /// <summary>Both sides are compared.</summary>
    Verifying,

    /// <summary>The copy goes into the bucket.</summary>
    Uploading,

    /// <summary>It is done.</summary>
    Completed,

    /// <summary>It came to nothing: the organization is served from where it was.</summary>
    Failed,

    /// <summary>The organization went back to Turso.</summary>
    RolledBack,
}
