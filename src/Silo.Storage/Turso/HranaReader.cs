using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Silo.Storage.Turso;

/// <summary>What a server says of a failure, in its own words.</summary>
internal sealed record HranaError(string Message, string? Code);

/// <summary>What became of a request on a stream. Which properties are there depends on the request.</summary>
/// <param name="Error">Why it failed.</param>
/// <param name="Result">Of a statement.</param>
/// <param name="Steps">Of a batch.</param>
internal sealed record HranaResult(HranaError? Error, TursoResult? Result, IReadOnlyList<(TursoResult? Result, HranaError? Error)>? Steps);

/// <summary>The answer to a pipeline.</summary>
/// <param name="Baton">What the next request on the stream must show; null when the server has closed it.</param>
/// <param name="BaseUrl">Where the stream goes on; null for the same place.</param>
/// <param name="Results">A result for each request.</param>
internal sealed record HranaAnswer(string? Baton, string? BaseUrl, IReadOnlyList<HranaResult> Results);

/// <summary>What a line of a cursor is.</summary>
internal enum HranaEntryKind { Other, StepBegin, Row, StepEnd, StepError, Error }

/// <summary>A line of a cursor after the first one.</summary>
internal readonly record struct HranaEntry(HranaEntryKind Kind, IReadOnlyList<TursoColumn>? Columns, TursoValue[]? Row, HranaError? Error);

/// <summary>There are more rows in an answer than are taken.</summary>
internal sealed class HranaRowLimitException(int limit) : Exception($"the answer has more than {limit} rows");

/// <summary>
/// Reads the answers of a server, in one pass and whatever the order of their properties. Unknown properties are passed over, as the
/// protocol asks.
/// </summary>
/// <remarks>What is no such answer ends in a <see cref="JsonException"/>, or in what <see cref="IsNonsense"/> knows.</remarks>
internal readonly partial struct HranaReader(int maxRows)
{
    // Those that have a meaning, the most frequent first.
    private static readonly (byte[] Utf8, string Name)[] Names = [.. Array.ConvertAll(
        ["type", "value", "base64", "row", "rows", "cols", "name", "decltype", "error", "message", "code", "baton", "base_url", "results", "response", "result",
            "affected_row_count", "last_insert_rowid", "step_results", "step_errors"],
        name => (Encoding.UTF8.GetBytes(name), name))];

    /// <summary>Whether an exception says that an answer is none: the reader of .NET has several for it.</summary>
    public static bool IsNonsense(Exception exception) => exception is JsonException or FormatException or (InvalidOperationException and not ObjectDisposedException);

    /// <summary>An answer to a pipeline.</summary>
    public HranaAnswer Answer(ReadOnlySpan<byte> utf8)
    {
        var json = new Utf8JsonReader(utf8);
        string? baton = null, baseUrl = null;
        List<HranaResult>? results = null;
        Begin(ref json);
        while (Property(ref json, out var name))
        {
            switch (name)
            {
                case "baton": baton = json.GetString(); break;
                case "base_url": baseUrl = json.GetString(); break;
                case "results":
                    results = [];
                    BeginList(ref json);
                    while (Item(ref json)) results.Add(Result(ref json));
                    break;
                default: json.Skip(); break;
            }
        }
        if (json.Read()) throw new JsonException("something follows the answer");
        return new HranaAnswer(baton, baseUrl, results ?? throw new JsonException("the answer has no results"));
    }

    /// <summary>The first line of a cursor.</summary>
    public static (string? Baton, string? BaseUrl) CursorBegin(in ReadOnlySequence<byte> line)
    {
        var json = new Utf8JsonReader(line);
        string? baton = null, baseUrl = null;
        Begin(ref json);
        while (Property(ref json, out var name))
        {
            switch (name)
            {
                case "baton": baton = json.GetString(); break;
                case "base_url": baseUrl = json.GetString(); break;
                default: json.Skip(); break;
            }
        }
        return (baton, baseUrl);
    }

    /// <summary>Another line of a cursor.</summary>
    public static HranaEntry Entry(in ReadOnlySequence<byte> line)
    {
        var json = new Utf8JsonReader(line);
        var kind = HranaEntryKind.Other;
        List<TursoColumn>? columns = null;
        TursoValue[]? row = null;
        HranaError? error = null;
        Begin(ref json);
        while (Property(ref json, out var name))
        {
            switch (name)
            {
                case "type": kind = Kind(ref json); break;
                case "cols": columns = Columns(ref json); break;
                case "row": row = Row(ref json, 0); break;
                case "error": error = Error(ref json); break;
                default: json.Skip(); break;
            }
        }
        var isWhole = kind switch
        {
            HranaEntryKind.StepBegin => columns is not null,
            HranaEntryKind.Row => row is not null,
            HranaEntryKind.StepError or HranaEntryKind.Error => error is not null,
            _ => true,
        };
        return isWhole ? new HranaEntry(kind, columns, row, error) : throw new JsonException($"a line of type {kind} lacks what it is about");
    }

    /// <summary>What the body of a refused request says; null when it is no JSON with a message.</summary>
    public static HranaError? Refusal(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var json = new Utf8JsonReader(utf8);
            string? message = null, code = null;
            Begin(ref json);
            while (Property(ref json, out var name))
            {
                if (name is "message" or "error" && json.TokenType == JsonTokenType.String) message = json.GetString();
                else if (name == "code" && json.TokenType == JsonTokenType.String) code = json.GetString();
                else json.Skip();
            }
            return message is null ? null : new HranaError(message, code);
        }
        catch (Exception e) when (IsNonsense(e))
        {
            return null;
        }
    }

    private static HranaEntryKind Kind(ref Utf8JsonReader json) =>
        json.ValueTextEquals("row"u8) ? HranaEntryKind.Row
        : json.ValueTextEquals("step_begin"u8) ? HranaEntryKind.StepBegin
        : json.ValueTextEquals("step_end"u8) ? HranaEntryKind.StepEnd
        : json.ValueTextEquals("step_error"u8) ? HranaEntryKind.StepError
        : json.ValueTextEquals("error"u8) ? HranaEntryKind.Error
        : HranaEntryKind.Other;

    private HranaResult Result(ref Utf8JsonReader json)
    {
        HranaResult? result = null;
        HranaError? error = null;
        BeginObject(ref json);
        while (Property(ref json, out var name))
        {
            switch (name)
            {
                case "error": error = Error(ref json); break;
                case "response": result = Response(ref json); break;
                default: json.Skip(); break;
            }
        }
        if (error is not null) return new HranaResult(error, null, null);
        return result ?? throw new JsonException("a result is neither a response nor an error");
    }

    private HranaResult Response(ref Utf8JsonReader json)
    {
        var result = new HranaResult(null, null, null);
        BeginObject(ref json);
        while (Property(ref json, out var name))
        {
            if (name == "result") result = StatementOrBatch(ref json);
            else json.Skip();
        }
        return result;
    }

    private HranaResult StatementOrBatch(ref Utf8JsonReader json)
    {
        List<TursoColumn>? columns = null;
        List<TursoValue[]>? rows = null;
        List<TursoResult?>? results = null;
        List<HranaError?>? errors = null;
        long affected = 0;
        long? lastRowId = null;
        BeginObject(ref json);
        while (Property(ref json, out var name))
        {
            switch (name)
            {
                case "cols": columns = Columns(ref json); break;
                case "rows": rows = Rows(ref json); break;
                case "affected_row_count": affected = json.GetInt64(); break;
                case "last_insert_rowid": lastRowId = json.TokenType == JsonTokenType.Null ? null : Integer(ref json); break;
                case "step_results":
                    results = [];
                    BeginList(ref json);
                    while (Item(ref json)) results.Add(json.TokenType == JsonTokenType.Null ? null : StatementOrBatch(ref json).Result);
                    break;
                case "step_errors":
                    errors = [];
                    BeginList(ref json);
                    while (Item(ref json)) errors.Add(json.TokenType == JsonTokenType.Null ? null : Error(ref json));
                    break;
                default: json.Skip(); break;
            }
        }
        if (columns is not null && rows is not null)
        {
            if (rows.Exists(row => row.Length != columns.Count)) throw new JsonException("a row has not as many values as there are columns");
            return new HranaResult(null, new TursoResult(columns, rows, affected, lastRowId), null);
        }
        if (results is null || errors is null || results.Count != errors.Count) throw new JsonException("a result is none of a statement and none of a batch");
        return new HranaResult(null, null, [.. results.Zip(errors)]);
    }

    private static HranaError Error(ref Utf8JsonReader json)
    {
        string? message = null, code = null;
        BeginObject(ref json);
        while (Property(ref json, out var name))
        {
            if (name == "message") message = json.GetString();
            else if (name == "code") code = json.GetString();
            else json.Skip();
        }
        return new HranaError(message ?? "", code);
    }

    private static void Begin(ref Utf8JsonReader json)
    {
        if (!json.Read()) throw new JsonException("the answer is empty");
        BeginObject(ref json);
    }

    private static void BeginObject(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject) throw new JsonException("something is no object that should be one");
    }

    private static void BeginList(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray) throw new JsonException("something is no list that should be one");
    }

    private static bool Item(ref Utf8JsonReader json) => json.Read() && json.TokenType != JsonTokenType.EndArray;

    /// <summary>Goes to the value of the next property.</summary>
    private static bool Property(ref Utf8JsonReader json, out string name)
    {
        name = "";
        if (!json.Read() || json.TokenType == JsonTokenType.EndObject) return false;
        name = Known(ref json);
        return json.Read();
    }

    /// <summary>The name of a property that has a meaning, without a string for each.</summary>
    private static string Known(ref Utf8JsonReader json)
    {
        foreach (var (utf8, name) in Names)
        {
            if (json.ValueTextEquals(utf8)) return name;
        }
        return "";
    }
}
