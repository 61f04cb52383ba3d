using System.Buffers;
using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Silo.Storage.Turso;

/// <summary>One request on a stream.</summary>
internal abstract record HranaRequest
{
    /// <summary>One statement.</summary>
    public sealed record Execute(TursoStatement Statement) : HranaRequest;

    /// <summary>Statements with conditions.</summary>
    public sealed record Batch(IReadOnlyList<TursoBatchStep> Steps) : HranaRequest;

    /// <summary>Statements in one text, until the first that fails.</summary>
    public sealed record Sequence(string Sql) : HranaRequest;

    /// <summary>The end of the stream.</summary>
    public sealed record Close : HranaRequest;
}

/// <summary>
/// Writes the bodies of requests: Hrana 2 and 3 in JSON, as docs/HRANA_3_SPEC.md of tursodatabase/libsql has it.
/// </summary>
internal sealed class HranaWriter : IDisposable
{
    // sqld reads integers and blobs in place and refuses an escape in them, such as the usual one of '+'.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly ArrayBufferWriter<byte> _body = new();
    private readonly Utf8JsonWriter _json;

    private HranaWriter() => _json = new Utf8JsonWriter(_body, Options);

    /// <summary>The body of a pipeline.</summary>
    public static ReadOnlyMemory<byte> Pipeline(string? baton, IReadOnlyList<HranaRequest> requests)
    {
        using var writer = new HranaWriter();
        writer.Begin(baton);
        writer._json.WriteStartArray("requests"u8);
        foreach (var request in requests) writer.Write(request);
        writer._json.WriteEndArray();
        return writer.End();
    }

    /// <summary>The body of a cursor.</summary>
    public static ReadOnlyMemory<byte> Cursor(string? baton, IReadOnlyList<TursoBatchStep> steps)
    {
        using var writer = new HranaWriter();
        writer.Begin(baton);
        writer.Write(steps);
        return writer.End();
    }

    public void Dispose() => _json.Dispose();

    private void Begin(string? baton)
    {
        _json.WriteStartObject();
        if (baton is not null) _json.WriteString("baton"u8, baton);
    }

    private ReadOnlyMemory<byte> End()
    {
        _json.WriteEndObject();
        _json.Flush();
        return _body.WrittenMemory;
    }

    private void Write(HranaRequest request)
    {
        _json.WriteStartObject();
        switch (request)
        {
            case HranaRequest.Execute execute:
                _json.WriteString("type"u8, "execute"u8);
                Write(execute.Statement);
                break;
            case HranaRequest.Batch batch:
                _json.WriteString("type"u8, "batch"u8);
                Write(batch.Steps);
                break;
            case HranaRequest.Sequence sequence:
                _json.WriteString("type"u8, "sequence"u8);
                _json.WriteString("sql"u8, sequence.Sql);
                break;
            default:
                _json.WriteString("type"u8, "close"u8);
                break;
        }
        _json.WriteEndObject();
    }

    private void Write(IReadOnlyList<TursoBatchStep> steps)
    {
        _json.WriteStartObject("batch"u8);
        _json.WriteStartArray("steps"u8);
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i].Condition?.LastStep >= i) throw new ArgumentException($"Step {i} depends on one that does not come before it.", nameof(steps));
            _json.WriteStartObject();
            if (steps[i].Condition is { } condition)
            {
                _json.WritePropertyName("condition"u8);
                Write(condition);
            }
            Write(steps[i].Statement);
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
        _json.WriteEndObject();
    }

    private void Write(TursoCondition condition)
    {
        _json.WriteStartObject();
        _json.WriteString("type"u8, condition.Type);
        if (condition.Step is { } step) _json.WriteNumber("step"u8, step);
        if (condition.Type == "not")
        {
            _json.WritePropertyName("cond"u8);
            Write(condition.Parts[0]);
        }
        if (condition.Type is "and" or "or")
        {
            _json.WriteStartArray("conds"u8);
            foreach (var part in condition.Parts) Write(part);
            _json.WriteEndArray();
        }
        _json.WriteEndObject();
    }

    private void Write(TursoStatement statement)
    {
        _json.WriteStartObject("stmt"u8);
        _json.WriteString("sql"u8, statement.Sql);
        if (statement.Arguments.Count > 0)
        {
            _json.WriteStartArray("args"u8);
            foreach (var value in statement.Arguments) Write(value);
            _json.WriteEndArray();
        }
        if (statement.NamedArguments.Count > 0)
        {
            _json.WriteStartArray("named_args"u8);
            foreach (var (name, value) in statement.NamedArguments)
            {
                _json.WriteStartObject();
                _json.WriteString("name"u8, name);
                _json.WritePropertyName("value"u8);
                Write(value);
                _json.WriteEndObject();
            }
            _json.WriteEndArray();
        }
        _json.WriteEndObject();
    }

    private void Write(TursoValue value)
    {
        _json.WriteStartObject();
        switch (value.Type)
        {
            case TursoType.Null:
                _json.WriteString("type"u8, "null"u8);
                break;
            case TursoType.Integer:
                _json.WriteString("type"u8, "integer"u8);
                // Numbers of JSON lose what does not fit into 53 bits.
                Span<byte> digits = stackalloc byte[20];
                _ = Utf8Formatter.TryFormat(value.AsInteger(), digits, out var length);
                _json.WriteString("value"u8, digits[..length]);
                break;
            case TursoType.Real:
                _json.WriteString("type"u8, "float"u8);
                if (value.IsLostInfinity)
                    throw new ArgumentException("The value is an infinity whose sign is not known: ask the server for it in SQL.", nameof(value));
                _json.WriteNumber("value"u8, value.AsReal());
                break;
            case TursoType.Text:
                _json.WriteString("type"u8, "text"u8);
                _json.WriteString("value"u8, value.AsText());
                break;
            default:
                _json.WriteString("type"u8, "blob"u8);
                _json.WriteBase64String("base64"u8, value.AsBlob());
                break;
        }
        _json.WriteEndObject();
    }
}
