using Silo.Contracts.Contacts;
using Silo.Contracts.Imports;

namespace Silo.Storage.Imports;

/// <summary>A row of a file: the contact, or what is wrong with it.</summary>
/// <param name="Row">As a person counts them (<see cref="ImportError.Row"/>).</param>
/// <param name="Fields">The contact; null when the row breaks a rule.</param>
/// <param name="Error">What is wrong, when it does.</param>
internal readonly record struct ImportRow(long Row, ContactFields? Fields, ImportError Error)
{
    public static ImportRow Wrong(long row, string code, string message) => new(row, null, new ImportError(row, code, message));

    /// <summary>A row whose fields keep the rules, or what they break.</summary>
    public static ImportRow Checked(long row, ContactFields fields) => ContactRules.Validate(fields) is { } errors
        ? Wrong(row, ImportErrorCode.ValidationFailed, string.Join(' ', errors.Select(field => $"{field.Key}: {string.Join(' ', field.Value)}")))
        : new ImportRow(row, fields, default);
}

/// <summary>The rows of a file, one after the other, as far as the file can be read.</summary>
internal interface IImportRows : IDisposable
{
    /// <summary>The fields of a contact that the file has anything for; whole once all rows were read.</summary>
    ContactColumns Columns { get; }

    /// <summary>Every row, once.</summary>
    /// <exception cref="ImportException">The file cannot be read to its end.</exception>
    IEnumerable<ImportRow> Read();
}
