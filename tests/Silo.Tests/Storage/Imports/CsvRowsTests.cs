using System.Text;
using Silo.Storage.Imports;

namespace Silo.Tests.Storage.Imports;

public sealed class CsvRowsTests
{
    [Theory]
    [InlineData("name,email\nAda,ada@example.org\n", "2 Ada ada@example.org")]
    [InlineData("name;email\nAda;ada@example.org\n", "2 Ada ada@example.org")]
    [InlineData("name\temail\nAda\tada@example.org", "2 Ada ada@example.org")]
    [InlineData("E-Mail,Full Name\r\nada@example.org,Ada\r\n", "2 Ada ada@example.org")]
    [InlineData("First Name,Last Name\nAda,Lovelace\nGrace,\n,Hopper\n", "2 Ada Lovelace|3 Grace|4 Hopper")]
    [InlineData("name\nAda\n\n\nBo\n", "2 Ada|5 Bo")]
    [InlineData("name,email\n\"Lovelace, Ada\",ada@example.org\n", "2 Lovelace, Ada ada@example.org")]
    [InlineData("name,phone\n  Ada  , 030 1234 \n", "2 Ada 030 1234")]
    [InlineData("name,notes\nAda,\"two\nlines \"\nBo,\"a \"\"quote\"\"\"\n", "2 Ada two\nlines |3 Bo a \"quote\"")]
    [InlineData("name,company\n=1+1,+Plus\n-Dash,@At\n", "2 =1+1 +Plus|3 -Dash @At")]
    [InlineData("name,email\n#1 Plumbing,info@one.example\nAnn,ann@one.example\n", "2 #1 Plumbing info@one.example|3 Ann ann@one.example")]
    [InlineData("#id,name\n#1,\"two\nlines\"\n", "2 two\nlines")]
    [InlineData("name,phone,mobile\nAda,1,2\nBo,,3\n", "2 Ada 1|3 Bo 3")]
    [InlineData("name\n", "")]
    public void Rows_AreContactsWithTheRowsOfASpreadsheet(string csv, string expected) => Assert.Equal(expected, string.Join('|', Read(csv).Select(Tell)));

    [Theory]
    [InlineData("name,email\nAda,x,y\nBo,bo@example.org\nCy\n", "2 wrong_column_count|3 Bo bo@example.org|4 wrong_column_count")]
    [InlineData("name,email\n,ada@example.org\nBo,nowhere\n", "2 validation_failed|3 validation_failed")]
    public void Rows_ThatBreakARule_AreToldAndPassedOver(string csv, string expected) => Assert.Equal(expected, string.Join('|', Read(csv).Select(Tell)));

    [Theory]
    [InlineData("", "invalid_file", 0)]
    [InlineData("[{\"name\":\"Ada\"}]", "missing_column", 1)]
    [InlineData("email\nada@example.org\n", "missing_column", 1)]
    [InlineData("name,email\nAda,a@b.c\nBo,\"never closed\nCy,c@d.e\n", "invalid_file", 3)]
    [InlineData("name,email\nAda,a@b.c\nBo,\"closed\" too early\n", "invalid_file", 3)]
    public void File_ThatCannotBeReadToItsEnd_Fails(string csv, string code, long row)
    {
        var failed = Assert.Throws<ImportException>(() => Read(csv));
        Assert.Equal((code, row), (failed.Error.Code, failed.Error.Row));
    }

    [Fact]
    public void Row_ThatIsTooLong_Fails()
    {
        var failed = Assert.Throws<ImportException>(() => Read($"name,notes\nAda,short\nBo,{new string('x', 100_000)}\n", maxRow: 40_000));
        Assert.Equal(("row_too_large", 3L), (failed.Error.Code, failed.Error.Row));
    }

    [Theory]
    [InlineData("utf-8", true, null)]
    [InlineData("utf-8", false, null)]
    [InlineData("utf-16", true, null)]
    [InlineData("utf-16", false, null)]
    [InlineData("utf-16BE", true, null)]
    [InlineData("utf-16BE", false, null)]
    [InlineData("utf-16", false, "utf-16")]
    [InlineData("iso-8859-1", false, "iso-8859-1")]
    public void File_InAnyOfTheUsualEncodings_IsRead(string encoding, bool hasMark, string? charset)
    {
        var bytes = Encoding.GetEncoding(encoding).GetBytes((hasMark ? "\uFEFF" : "") + "name,email\nJörg Groß,joerg@example.org\n");
        Assert.Equal("2 Jörg Groß joerg@example.org", Tell(Assert.Single(Read(bytes, charset))));
    }

    [Fact]
    public void Bytes_ThatAreNoText_FailTheFileAndTellTheRow()
    {
        byte[] bytes = [.. Encoding.UTF8.GetBytes("name\n" + string.Concat(Enumerable.Range(2, 20_000).Select(row => $"Person {row}\n"))), .. "Gro\xDF\n"u8.ToArray().Where(b => b != 0xC3), 0xFF, (byte)'\n'];
        var failed = Assert.Throws<ImportException>(() => Read(bytes, null));
        Assert.Equal("invalid_encoding", failed.Error.Code);
        Assert.InRange(failed.Error.Row, 20_002, 20_003);
    }

    [Fact]
    public void Columns_ThatContactsDoNotHave_AreTold()
    {
        using var rows = new CsvRows(new StringReader("name,Birthday,phone,Mobile\nAda,1815,1,2\n"), null, 10_000);
        Assert.Equal("2 Ada 1", Tell(Assert.Single(rows.Read().ToList())));
        Assert.Equal(["Birthday"], rows.Columns.Unknown);
        Assert.True(rows.Columns.Has(ContactColumn.Phone));
        Assert.False(rows.Columns.Has(ContactColumn.Email));
    }

    [Fact]
    public void Agent_OfTheImport_IsThatOfRowsThatNameNone()
    {
        using var rows = new CsvRows(new StringReader("name,agentId\nAda,\nBo,7\n"), "default", 10_000);
        Assert.Equal(["default", "7"], rows.Read().ToList().Select(row => row.Fields!.AgentId));
    }

    internal static string Tell(ImportRow row) => row.Fields is { } contact
        ? $"{row.Row} {string.Join(' ', new[] { contact.Name, contact.Email, contact.Phone, contact.Company, contact.Notes }.OfType<string>())}"
        : $"{row.Row} {row.Error.Code}";

    private static List<ImportRow> Read(string csv, int maxRow = 128 * 1024)
    {
        using var rows = new CsvRows(new StringReader(csv), null, maxRow);
        return [.. rows.Read()];
    }

    private static List<ImportRow> Read(byte[] bytes, string? charset)
    {
        using var rows = new CsvRows(FileText.Open(new MemoryStream(bytes), charset), null, 128 * 1024);
        return [.. rows.Read()];
    }
}
