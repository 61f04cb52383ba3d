namespace Silo.Contracts.Migration;

/// <summary>What an operator asks for.</summary>
public enum MigrationKind
{
    /// <summary>Looks at the Turso database: whether it can be reached, how large it is, and whether SQLite takes all of it.</summary>
    Inspect,

    /// <summary>A dry run: everything but the move. Writes are refused for as long as a migration would refuse them.</summary>
    Rehearse,

    /// <summary>Moves the organization to SQLite.</summary>
    Migrate,

    /// <summary>Compares an organization that was moved with the Turso database that it came from.</summary>
    Verify,

    /// <summary>Moves an organization that was migrated back to Turso, where everything is as it was.</summary>
    RollBack,
}
