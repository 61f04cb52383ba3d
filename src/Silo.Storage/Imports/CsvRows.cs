using System.Globalization;
using Silo.Contracts.Contacts;
using Sylvan.Data.Csv;

namespace Silo.Storage.Imports;

/// <summary>
/// CSV as RFC 4180 has it: a header row, quotes, line ends within quotes; and with the delimiter that the header row shows, a comma, a
/// semicolon or a tab. Blank lines are passed over, and blanks around a value are not part of it, except in notes.
/// </summary>
internal sealed class CsvRows(TextReader text, string? agentId, int maxRowCharacters) : IImportRows
{
    private const int BufferCharacters = 32 * 1024;
    private const int HeaderRow = 1;

    // The library passes over rows that begin with '#' unless told of another sign for comments, which RFC 4180 has not. No text begins
    // with the second half of a pair.
    private const char NoComment = '\uDC00';

    public ContactColumns Columns { get; } = new();

    public IEnumerable<ImportRow> Read()
    {
        using var csv = Open();
        var fields = new ContactColumn[csv.FieldCount];
        for (var i = 0; i < fields.Length; i++)
        {
            fields[i] = Columns.Add(csv.GetName(i));
        }
        if (!Columns.HasName)
            throw new ImportException(ImportErrorCode.MissingColumn, HeaderRow, "The header row has no column for the name. Call it 'name', or 'First Name' and 'Last Name'.");
        while (Next(csv))
        {
            if (IsBlank(csv)) continue;
            yield return Row(csv, fields);
        }
    }

    public void Dispose() => text.Dispose();

    private CsvDataReader Open()
    {
        try
        {
            return CsvDataReader.Create(text, new CsvDataReaderOptions
            {
                BufferSize = BufferCharacters,
                MaxBufferSize = Math.Max(BufferCharacters, maxRowCharacters),
                Comment = NoComment,
            });
        }
        catch (CsvMissingHeadersException e)
        {
            throw new ImportException(ImportErrorCode.InvalidFile, 0, "The file is empty.", e);
        }
        catch (Exception e) when (e is CsvFormatException or FormatException)
        {
            throw Broken(e, HeaderRow);
        }
    }

    private bool Next(CsvDataReader csv)
    {
        try
        {
            return csv.Read();
        }
        catch (CsvRecordTooLargeException e)
        {
            throw new ImportException(
                ImportErrorCode.RowTooLarge, csv.RowNumber + HeaderRow,
                string.Create(CultureInfo.InvariantCulture, $"Row {csv.RowNumber + HeaderRow} is longer than {maxRowCharacters} characters, or a quote that it opens is never closed."), e);
        }
        catch (Exception e) when (e is CsvFormatException or FormatException)
        {
            throw Broken(e, csv.RowNumber + HeaderRow);
        }
    }

    private ImportRow Row(CsvDataReader csv, ContactColumn[] fields)
    {
        var row = csv.RowNumber + HeaderRow;
        string? name = null, first = null, last = null, email = null, phone = null, company = null, notes = null, agent = null;
        for (var i = 0; i < csv.RowFieldCount; i++)
        {
            var value = csv.GetFieldSpan(i);
            if (value.Contains(FileText.Undecodable)) throw FileText.WrongEncoding(row);
            if (i >= fields.Length) continue;
            // Of several columns for one field the first that says anything counts.
            switch (fields[i])
            {
                case ContactColumn.Name: name ??= Text(value); break;
                case ContactColumn.FirstName: first ??= Text(value); break;
                case ContactColumn.LastName: last ??= Text(value); break;
                case ContactColumn.Email: email ??= Text(value); break;
                case ContactColumn.Phone: phone ??= Text(value); break;
                case ContactColumn.Company: company ??= Text(value); break;
                case ContactColumn.Notes: notes ??= value.IsEmpty ? null : value.ToString(); break;
                case ContactColumn.AgentId: agent ??= Text(value); break;
            }
        }
        return csv.RowFieldCount == fields.Length
            ? ImportRow.Checked(row, new ContactFields(name ?? FullName(first, last), email, phone, company, notes, agent ?? agentId))
            : ImportRow.Wrong(row, ImportErrorCode.WrongColumnCount, string.Create(CultureInfo.InvariantCulture, $"It has {csv.RowFieldCount} values, and the header row names {fields.Length}."));
    }

    /// <summary>A name from its parts.</summary>
    public static string? FullName(string? first, string? last) => first is null ? last : last is null ? first : $"{first} {last}";

    private static bool IsBlank(CsvDataReader csv) => csv.RowFieldCount == 0 || (csv.RowFieldCount == 1 && csv.GetFieldSpan(0).IsWhiteSpace());

    private static string? Text(ReadOnlySpan<char> value) => value.Trim() is { IsEmpty: false } text ? text.ToString() : null;

    private static ImportException Broken(Exception e, int row) => new(
        ImportErrorCode.InvalidFile, row, string.Create(CultureInfo.InvariantCulture, $"The file cannot be read beyond row {row}: {e.Message}"), e);
}
