namespace Silo.Storage.Catalog;

/// <summary>The catalog, or another database that silos share, could not be used. The message names it, the action and the remedy.</summary>
public sealed class CatalogException : Exception
{
    internal CatalogException(string message, CatalogFailure failure, Exception innerException)
        : base(message, innerException) => Failure = failure;

    /// <summary>What was wrong.</summary>
    public CatalogFailure Failure { get; }
}

/// <summary>What was wrong with a shared database.</summary>
public enum CatalogFailure
{
    /// <summary>It cannot be opened, read or written.</summary>
    Unreachable,

    /// <summary>It is damaged, or no SQLite database.</summary>
    Damaged,

    /// <summary>Its disk is full.</summary>
    Full,

    /// <summary>Another process kept it locked; trying again helps.</summary>
    Busy,

    /// <summary>Its tables are not as expected.</summary>
    Unexpected,
}
