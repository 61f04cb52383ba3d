using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Silo.Storage.Catalog;

/// <summary>The catalog's file could not be used. The message names the file, the action and the remedy.</summary>
public sealed class CatalogException : Exception
{
    internal CatalogException(string message, CatalogFailure failure, Exception innerException)
        : base(message, innerException) => Failure = failure;

    /// <summary>What was wrong.</summary>
    public CatalogFailure Failure { get; }

    internal static CatalogException From(string action, string file, Exception cause)
    {
        var failure = cause is SqliteException sqlite ? FailureOf(sqlite.SqliteErrorCode) : CatalogFailure.Unreachable;
        var remedy = failure switch
        {
            CatalogFailure.Unreachable => "Check that the folder exists and that this process may write in it, or correct ConnectionStrings:Catalog.",
            CatalogFailure.Damaged => "The file is damaged or no SQLite database: restore it from a backup, or correct ConnectionStrings:Catalog.",
            CatalogFailure.Full => "Free space on its disk.",
            CatalogFailure.Busy => "Another process has been changing it for longer than Catalog:BusyTimeout: end that one, or try again.",
            _ => "The catalog is not as this version expects: run the migrations, and see the cause.",
        };
        return new CatalogException($"Cannot {action} the catalog {file}: {cause.Message.TrimEnd('.')}. {remedy}", failure, cause);
    }

    private static CatalogFailure FailureOf(int code) => code switch
    {
        raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_AUTH or raw.SQLITE_IOERR => CatalogFailure.Unreachable,
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => CatalogFailure.Damaged,
        raw.SQLITE_FULL => CatalogFailure.Full,
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => CatalogFailure.Busy,
        _ => CatalogFailure.Unexpected,
    };
}

/// <summary>What was wrong with the catalog's file.</summary>
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
