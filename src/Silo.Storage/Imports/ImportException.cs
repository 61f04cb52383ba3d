using Silo.Contracts.Imports;

namespace Silo.Storage.Imports;

/// <summary>A file cannot be taken in. Nothing was changed, and nothing will be by trying again.</summary>
/// <param name="code">Stable, in snake_case; one of <see cref="ImportErrorCode"/>.</param>
/// <param name="row">The row as a person counts them; 0 when it is not about a row.</param>
/// <param name="message">One sentence that says what to do.</param>
/// <param name="innerException">The cause.</param>
public sealed class ImportException(string code, long row, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>What a person is told.</summary>
    public ImportError Error { get; } = new(row, code, message);
}

/// <summary>What can be wrong with a file or with a row of it. Clients compare these.</summary>
public static class ImportErrorCode
{
    /// <summary>The row, or every row, breaks the rules for contacts.</summary>
    public const string ValidationFailed = "validation_failed";

    /// <summary>The row has more or fewer values than the header row names.</summary>
    public const string WrongColumnCount = "wrong_column_count";

    /// <summary>The row is no JSON object, or a value in it is no text.</summary>
    public const string InvalidRow = "invalid_row";

    /// <summary>The file cannot be read to its end: it is cut off, or is not what its content type says.</summary>
    public const string InvalidFile = "invalid_file";

    /// <summary>The file is in another character encoding than it says.</summary>
    public const string InvalidEncoding = "invalid_encoding";

    /// <summary>No column of the file is the contacts' name.</summary>
    public const string MissingColumn = "missing_column";

    /// <summary>The file has more bytes, after it was inflated, than <see cref="ImportsOptions.MaxBytes"/>.</summary>
    public const string PayloadTooLarge = "payload_too_large";

    /// <summary>The file has more rows than <see cref="ImportsOptions.MaxRows"/>.</summary>
    public const string TooManyRows = "too_many_rows";

    /// <summary>A row is longer than <see cref="ImportsOptions.MaxRowBytes"/>.</summary>
    public const string RowTooLarge = "row_too_large";

    /// <summary>The file in the bucket is not the one that was received, or is not there any more.</summary>
    public const string StagedFileChanged = "staged_file_changed";

    /// <summary>It failed again and again for a reason that nobody expected; the silo's log has it.</summary>
    public const string UnexpectedError = "unexpected_error";

    /// <summary>The organization's older table of contacts does not take such rows.</summary>
    public const string DatabaseRefused = "database_refused";

    /// <summary>The silo's disk has no room.</summary>
    public const string DiskFull = "disk_full";
}
