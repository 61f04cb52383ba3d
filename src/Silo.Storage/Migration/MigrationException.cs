using Silo.Contracts;

namespace Silo.Storage.Migration;

/// <summary>Why a migration cannot go on.</summary>
public enum MigrationFailure
{
    /// <summary>The database has something that SQLite would not take; see the preflight report.</summary>
    NotPossible,

    /// <summary>The schema of the Turso database was changed while it was copied. Copy it again.</summary>
    SchemaChanged,

    /// <summary>The copy is not the same as the Turso database; see the verification report.</summary>
    NotTheSame,

    /// <summary>Our own schema could not be laid over the copy.</summary>
    NotAdopted,
}

/// <summary>A migration cannot go on. The Turso database is as it was, and serves.</summary>
public sealed class MigrationException : Exception
{
    internal MigrationException(OrganizationId organization, MigrationFailure failure, string reason, Exception? innerException = null)
        : base($"Cannot migrate {organization}: {reason}", innerException) => Failure = failure;

    /// <summary>Why.</summary>
    public MigrationFailure Failure { get; }
}
