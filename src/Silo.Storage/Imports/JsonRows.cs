using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Silo.Contracts.Contacts;

namespace Silo.Storage.Imports;

/// <summary>
/// JSON, one object a row: the elements of one array (RFC 8259), or one a line (NDJSON). Never more of the file is in memory than its
/// longest row and a buffer.
/// </summary>
internal sealed class JsonRows(Stream utf8, bool isLines, string? agentId, int maxRowBytes) : IImportRows
{
    private const int BufferBytes = 64 * 1024;
    private const string HalfAPair = "\uFFFD"; // stands for a name that cannot be read, and is none of ours
    private const int MaxNameShown = 100; // characters; names are of the size of a row if somebody wants to use up memory

    private static readonly JsonReaderOptions Options = new() { MaxDepth = 32 };

    private readonly Dictionary<string, ContactColumn> _names = new(StringComparer.Ordinal);
    private byte[] _buffer = new byte[BufferBytes];
    private int _start; // of what was not read yet
    private int _end;
    private bool _isAll; // the file has no more than what is in the buffer
    private long _row;

    public ContactColumns Columns { get; } = new();

    public IEnumerable<ImportRow> Read() => isLines ? Lines() : Elements();

    public void Dispose() => utf8.Dispose();

    private IEnumerable<ImportRow> Lines()
    {
        for (; ; )
        {
            var length = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
            if (length < 0 && !_isAll)
            {
                Fill();
                continue;
            }
            var isCut = length < 0;
            if (isCut) length = _end - _start;
            if (isCut && length == 0) yield break;
            _row++;
            var line = _buffer.AsSpan(_start, length).Trim(" \t\r"u8);
            _start = Math.Min(_end, _start + length + 1);
            if (!line.IsEmpty) yield return Line(line, isCut);
        }
    }

    private ImportRow Line(ReadOnlySpan<byte> line, bool isCut)
    {
        var reader = new Utf8JsonReader(line, Options);
        try
        {
            reader.Read();
            var row = Row(ref reader);
            return reader.Read() ? ImportRow.Wrong(_row, ImportErrorCode.InvalidRow, "The line has more than one value.") : row;
        }
        catch (JsonException e)
        {
            if (isCut) throw Broken(e);
            return ImportRow.Wrong(_row, ImportErrorCode.InvalidRow, $"The line is no JSON object: {e.Message}");
        }
    }

    private IEnumerable<ImportRow> Elements()
    {
        var state = new JsonReaderState(Options);
        var rows = new List<ImportRow>();
        for (var isOpen = false; ;)
        {
            var isOver = ReadComplete(ref state, ref isOpen, rows);
            foreach (var row in rows) yield return row;
            rows.Clear();
            if (isOver) yield break;
            Fill();
        }
    }

    /// <summary>Reads the elements that are whole in the buffer.</summary>
    /// <returns>True at the array's end.</returns>
    private bool ReadComplete(ref JsonReaderState state, ref bool isOpen, List<ImportRow> rows)
    {
        try
        {
            if (!isOpen && _isAll && _buffer.AsSpan(_start, _end - _start).Trim(" \t\r\n"u8).IsEmpty) throw new ImportException(ImportErrorCode.InvalidFile, 0, "The file is empty.");
            var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _isAll, state);
            var begin = _start;
            for (; ; )
            {
                var ahead = reader;
                if (!ahead.Read()) return false; // in the last block that throws
                if (!isOpen)
                {
                    if (ahead.TokenType != JsonTokenType.StartArray) throw new ImportException(ImportErrorCode.InvalidFile, 0, "The file is no JSON array. Begin it with '[', or send one object a line as application/x-ndjson.");
                    isOpen = true;
                }
                else if (ahead.TokenType == JsonTokenType.EndArray)
                {
                    if (ahead.Read()) throw new ImportException(ImportErrorCode.InvalidFile, 0, "The file goes on after the end of its array.");
                    return _isAll;
                }
                else
                {
                    var whole = ahead;
                    if (!whole.TrySkip()) return false;
                    _row++;
                    rows.Add(Row(ref ahead));
                }
                reader = ahead;
                state = reader.CurrentState;
                _start = begin + (int)reader.BytesConsumed;
            }
        }
        catch (JsonException e)
        {
            _row++;
            throw Broken(e);
        }
    }

    /// <summary>Takes what the reader stands at for a row, and leaves it at its end.</summary>
    private ImportRow Row(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.TrySkip(); // all of it is here
            return ImportRow.Wrong(_row, ImportErrorCode.InvalidRow, "It is no JSON object.");
        }
        string? name = null, first = null, last = null, email = null, phone = null, company = null, notes = null, agent = null;
        ImportRow? wrong = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var property = Text(ref reader, out _) ?? HalfAPair;
            if (!_names.TryGetValue(property, out var column))
            {
                column = Columns.Add(property);
                const int MaxNames = 1000;
                if (_names.Count < MaxNames && property.Length <= MaxNameShown) _names.Add(property, column);
            }
            reader.Read();
            if (column == ContactColumn.Unknown || reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.True or JsonTokenType.False)
            {
                if (column != ContactColumn.Unknown) wrong ??= ImportRow.Wrong(_row, ImportErrorCode.InvalidRow, $"{Shown(property)}: This must be a text or null.");
                reader.TrySkip();
                continue;
            }
            var value = Text(ref reader, out var isWhole);
            if (!isWhole) wrong ??= ImportRow.Wrong(_row, ImportErrorCode.ValidationFailed, $"{Shown(property)}: {ContactRules.NotStorable}");
            // Of several names for one field the first that says anything counts.
            switch (column)
            {
                case ContactColumn.Name: name ??= value; break;
                case ContactColumn.FirstName: first ??= value; break;
                case ContactColumn.LastName: last ??= value; break;
                case ContactColumn.Email: email ??= value; break;
                case ContactColumn.Phone: phone ??= value; break;
                case ContactColumn.Company: company ??= value; break;
                case ContactColumn.Notes: notes ??= value; break;
                case ContactColumn.AgentId: agent ??= value; break;
            }
        }
        return wrong ?? ImportRow.Checked(_row, new ContactFields(name ?? CsvRows.FullName(first, last), email, phone, company, notes, agent ?? agentId));
    }

    private static string Shown(string property) => property.Length <= MaxNameShown ? property : property[..MaxNameShown];

    /// <summary>A text or a number as it is written; null for null and for an empty text, and for one that has half of a pair of surrogates.</summary>
    private string? Text(ref Utf8JsonReader reader, out bool isWhole)
    {
        isWhole = true;
        try
        {
            var text = reader.TokenType switch
            {
                JsonTokenType.Null => null,
                JsonTokenType.Number => System.Text.Encoding.UTF8.GetString(reader.ValueSpan),
                _ => reader.GetString(),
            };
            if (text is not null && text.Contains(FileText.Undecodable, StringComparison.Ordinal)) throw FileText.WrongEncoding(_row);
            return reader.TokenType == JsonTokenType.PropertyName || text is { Length: > 0 } ? text : null;
        }
        catch (InvalidOperationException e) when (e is not ObjectDisposedException)
        {
            // The file is as it should be, and one text of it is written with an escape of which the other half is missing.
            if (!reader.ValueIsEscaped || !Utf8.IsValid(reader.ValueSpan)) throw FileText.WrongEncoding(_row);
            isWhole = false;
            return null;
        }
    }

    /// <summary>Reads on in the file, and keeps what was not read yet.</summary>
    private void Fill()
    {
        var kept = _end - _start;
        if (kept > maxRowBytes)
            throw new ImportException(ImportErrorCode.RowTooLarge, _row + 1, string.Create(CultureInfo.InvariantCulture, $"Row {_row + 1} is longer than {maxRowBytes} bytes."));
        if (kept == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        if (_start > 0)
        {
            _buffer.AsSpan(_start, kept).CopyTo(_buffer);
            (_start, _end) = (0, kept);
        }
        var read = utf8.Read(_buffer.AsSpan(_end));
        _end += read;
        _isAll = read == 0;
    }

    private ImportException Broken(JsonException e) => new(
        ImportErrorCode.InvalidFile, _row, string.Create(CultureInfo.InvariantCulture, $"The file cannot be read beyond row {_row}: {e.Message}"), e);
}
