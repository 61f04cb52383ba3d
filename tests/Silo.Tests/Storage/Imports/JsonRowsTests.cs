using System.Text;
using Silo.Storage.Imports;

namespace Silo.Tests.Storage.Imports;

public sealed class JsonRowsTests
{
    [Theory]
    [InlineData("""[{"name":"Ada","email":"ada@example.org"},{"name":"Bo"}]""", "1 Ada ada@example.org|2 Bo")]
    [InlineData("""  [ {"firstName":"Ada","last_name":"Lovelace","Phone Number":"1"} ]  """, "1 Ada Lovelace 1")]
    [InlineData("[]", "")]
    [InlineData("""[{"name":"Ada","phone":30123,"tags":["x",{"y":1}],"address":{"city":"London"}}]""", "1 Ada 30123")]
    [InlineData("""[{"name":"Ada","email":null,"notes":""}]""", "1 Ada")]
    [InlineData("""[{"name":"Ada"},7,{"name":true},{"name":["x"]},{"email":"a@b.c"},{"name":"Bo"}]""", "1 Ada|2 invalid_row|3 invalid_row|4 invalid_row|5 validation_failed|6 Bo")]
    [InlineData("""[{"name":"Ada","phone":"1","mobile":null,"tel":"2"},{"name":"Bo","contact":"x","mobile":"3"},{"name":"Cy","contact":""}]""", "1 Ada 1|2 Bo 3|3 Cy")]
    [InlineData("""[{"name":"Ada"},{"name":"Bo","notes":"half \ud83d"},{"name":"Cy","\udc00":"x"},{"name":"Dan \ud83d\ude00"}]""", "1 Ada|2 validation_failed|3 Cy|4 Dan 😀")]
    public void Elements_AreContacts(string json, string expected) => Assert.Equal(expected, Tell(json, isLines: false));

    [Theory]
    [InlineData("{\"name\":\"Ada\"}\n{\"name\":\"Bo\"}\n", "1 Ada|2 Bo")]
    [InlineData("{\"name\":\"Ada\"}\r\n\r\n{\"name\":\"Bo\"}", "1 Ada|3 Bo")]
    [InlineData("{\"name\":\"Ada\"}\nno json\n{\"name\":\"Bo\"}{}\n[1]\n{\"name\":\"Cy\"}\n", "1 Ada|2 invalid_row|3 invalid_row|4 invalid_row|5 Cy")]
    [InlineData("", "")]
    public void Lines_AreContacts(string json, string expected) => Assert.Equal(expected, Tell(json, isLines: true));

    [Theory]
    [InlineData("", false, "invalid_file", 0)]
    [InlineData(" \n", false, "invalid_file", 0)]
    [InlineData("name,email\nAda,a@b.c", false, "invalid_file", 1)]
    [InlineData("{\"name\":\"Ada\"}", false, "invalid_file", 0)]
    [InlineData("[{\"name\":\"Ada\"},{\"name\":\"B", false, "invalid_file", 2)]
    [InlineData("[{\"name\":\"Ada\"}", false, "invalid_file", 2)]
    [InlineData("[{\"name\":\"Ada\"},]", false, "invalid_file", 2)]
    [InlineData("[{\"name\":\"Ada\"}] []", false, "invalid_file", 2)]
    [InlineData("{\"name\":\"Ada\"}\n{\"name\":\"B", true, "invalid_file", 2)]
    public void File_ThatCannotBeReadToItsEnd_Fails(string json, bool isLines, string code, long row)
    {
        var failed = Assert.Throws<ImportException>(() => Tell(json, isLines));
        Assert.Equal((code, row), (failed.Error.Code, failed.Error.Row));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Row_ThatIsTooLong_FailsAndIsNeverWholeInMemory(bool isLines)
    {
        var endless = new EndlessStream(isLines ? "{\"name\":\"Ada\"}\n{\"name\":\""u8.ToArray() : "[{\"name\":\"Ada\"},{\"name\":\""u8.ToArray());
        using var rows = new JsonRows(endless, isLines, null, maxRowBytes: 1_000_000);
        var failed = Assert.Throws<ImportException>(() => rows.Read().Count());
        Assert.Equal(("row_too_large", 2L), (failed.Error.Code, failed.Error.Row));
        Assert.InRange(endless.Given, 1_000_000, 3_000_000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bytes_ThatAreNoText_FailTheFileAndTellTheRow(bool isLines)
    {
        byte[] bytes = isLines ? [.. "{\"name\":\"Ada\"}\n{\"name\":\""u8, 0xFF, .. "\"}\n"u8] : [.. "[{\"name\":\"Ada\"},{\"name\":\""u8, 0xFF, .. "\"}]"u8];
        using var rows = new JsonRows(new MemoryStream(bytes), isLines, null, 10_000);
        var failed = Assert.Throws<ImportException>(() => rows.Read().Count());
        Assert.Equal(("invalid_encoding", 2L), (failed.Error.Code, failed.Error.Row));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(100_000)]
    public void Rows_AreTheSameHoweverTheFileComes(int pieces)
    {
        var people = Enumerable.Range(1, 5_000).Select(i => $$$"""{"name":"Jörg {{{i}}}","notes":"{{{new string('n', i % 90)}}}","other":{"deep":[1,2,"]}"]} }""").ToList();
        using var rows = new JsonRows(new PiecemealStream(Encoding.UTF8.GetBytes("[\n" + string.Join(",\n", people) + "\n]\n"), pieces), false, null, 10_000);
        Assert.Equal(Enumerable.Range(1, 5_000).Select(i => $"Jörg {i}"), rows.Read().Select(row => row.Fields!.Name));
        Assert.Equal(["other"], rows.Columns.Unknown);
    }

    [Fact]
    public void File_InUtf16_IsRead()
    {
        using var rows = new JsonRows(FileText.OpenUtf8(new MemoryStream([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("""[{"name":"Jörg"}]""")]), null), false, null, 10_000);
        Assert.Equal("1 Jörg", CsvRowsTests.Tell(Assert.Single(rows.Read().ToList())));
    }

    /// <summary>Names are as long as a row may be, and what is told of them is kept.</summary>
    [Fact]
    public void Name_AsLongAsARow_IsToldInItsBeginning()
    {
        using var rows = new JsonRows(new MemoryStream(Encoding.UTF8.GetBytes($"[{{\"name{new string('-', 5_000)}\":true}}]")), false, null, 10_000);
        var wrong = Assert.Single(rows.Read()).Error;
        Assert.InRange(wrong.Message.Length, 100, 200);
        Assert.StartsWith("name---", wrong.Message, StringComparison.Ordinal);
    }

    private static string Tell(string json, bool isLines)
    {
        using var rows = new JsonRows(new MemoryStream(Encoding.UTF8.GetBytes(json)), isLines, null, 10_000);
        return string.Join('|', rows.Read().Select(CsvRowsTests.Tell));
    }

    private sealed class EndlessStream(byte[] start) : ReadingStream
    {
        public long Given { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            var length = Given < start.Length ? Math.Min(buffer.Length, start.Length - (int)Given) : buffer.Length;
            if (Given < start.Length) start.AsSpan((int)Given, length).CopyTo(buffer);
            else buffer.Fill((byte)'x');
            Given += length;
            return length;
        }
    }

    private sealed class PiecemealStream(byte[] content, int pieces) : ReadingStream
    {
        private int _at;

        public override int Read(Span<byte> buffer)
        {
            var length = Math.Min(Math.Min(buffer.Length, pieces), content.Length - _at);
            content.AsSpan(_at, length).CopyTo(buffer);
            _at += length;
            return length;
        }
    }
}
