using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace Silo.Storage.Turso;

/// <summary>Rows and their values.</summary>
internal readonly partial struct HranaReader
{
    private static List<TursoColumn> Columns(ref Utf8JsonReader json)
    {
        var columns = new List<TursoColumn>();
        BeginList(ref json);
        while (Item(ref json))
        {
            string? column = null, type = null;
            BeginObject(ref json);
            while (Property(ref json, out var name))
            {
                if (name == "name") column = json.GetString();
                else if (name == "decltype") type = json.GetString();
                else json.Skip();
            }
            columns.Add(new TursoColumn(column, type));
        }
        return columns;
    }

    private List<TursoValue[]> Rows(ref Utf8JsonReader json)
    {
        var rows = new List<TursoValue[]>();
        BeginList(ref json);
        while (Item(ref json))
        {
            if (rows.Count == maxRows) throw new HranaRowLimitException(maxRows);
            rows.Add(Row(ref json, rows.Count > 0 ? rows[0].Length : 0));
        }
        return rows;
    }

    private static TursoValue[] Row(ref Utf8JsonReader json, int expected)
    {
        var row = new TursoValue[expected];
        var count = 0;
        BeginList(ref json);
        while (Item(ref json))
        {
            if (count == row.Length) Array.Resize(ref row, Math.Max(8, 2 * count));
            row[count++] = Value(ref json);
        }
        if (count != row.Length) Array.Resize(ref row, count);
        return row;
    }

    private static TursoValue Value(ref Utf8JsonReader json)
    {
        // The type may come after the value: what the value means is asked once both are known.
        Utf8JsonReader type = default, value = default;
        BeginObject(ref json);
        while (Property(ref json, out var name))
        {
            if (name == "type") type = json;
            else if (name is "value" or "base64") value = json;
            json.Skip();
        }
        if (type.TokenType != JsonTokenType.String) throw new JsonException("a value has no type");
        if (type.ValueTextEquals("text"u8)) return TursoValue.OfText(Text(ref value));
        if (type.ValueTextEquals("integer"u8)) return Integer(ref value);
        if (type.ValueTextEquals("null"u8)) return TursoValue.Null;
        if (type.ValueTextEquals("blob"u8)) return Blob(ref value);
        if (!type.ValueTextEquals("float"u8)) throw new JsonException("a value has an unknown type");
        return value.TokenType == JsonTokenType.Null ? TursoValue.LostInfinity
            : value.GetDouble() is var number && double.IsFinite(number) ? number
            : throw new JsonException("a number is too large");
    }

    private static string Text(ref Utf8JsonReader json) => json.GetString() ?? throw new JsonException("a text is null");

    private static long Integer(ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.Number) return json.GetInt64();
        var digits = Text(ref json);
        return long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new JsonException("an integer is none of 64 bits");
    }

    /// <summary>Bytes in base64, with the padding that the protocol demands or without it, as sqld writes them.</summary>
    private static byte[] Blob(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.String) throw new JsonException("a blob is no text");
        var length = json.HasValueSequence ? checked((int)json.ValueSequence.Length) : json.ValueSpan.Length;
        var buffer = ArrayPool<byte>.Shared.Rent(length + 3);
        try
        {
            length = json.CopyString(buffer);
            while (length % 4 != 0) buffer[length++] = (byte)'=';
            var text = buffer.AsSpan(0, length);
            var bytes = new byte[(length / 4 * 3) - (text.EndsWith("=="u8) ? 2 : text.EndsWith("="u8) ? 1 : 0)];
            return Base64.DecodeFromUtf8(text, bytes, out _, out var written) == OperationStatus.Done && written == bytes.Length
                ? bytes
                : throw new JsonException("a blob is no base64");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
