using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Contacts;

/// <summary>The reader and the writer on one real file.</summary>
public sealed class ContactStoreTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 23, 20, 0, 0, 123, TimeSpan.Zero));
    private readonly OrgWriter _connection;
    private readonly ContactWriter _writer;
    private readonly ContactReader _reader;

    public ContactStoreTests()
    {
        _connection = new OrgWriter(_folder["org.db"]);
        OrgSchema.Migrate(_connection.Connection, OrganizationId.Parse("demo"));
        _writer = new ContactWriter(_connection.Connection, _time);
        _reader = new ContactReader(_folder["org.db"]);
    }

    public void Dispose()
    {
        _reader.Dispose();
        _writer.Dispose();
        _connection.Dispose();
        _folder.Dispose();
    }

    private static JsonElement Parse(JsonBytes json) => JsonDocument.Parse(json.Utf8!).RootElement;

    private string Add(string name, string? email = null, string? phone = null, string? company = null) =>
        Insert(new ContactFields(name, email, phone, company)).Id;

    private (string Id, JsonBytes Contact) Insert(ContactFields fields)
    {
        var id = Guid.CreateVersion7().ToString();
        return (id, _writer.Insert(id, fields));
    }

    private (string[] Names, string? Next) Page(int limit, string? cursor = null, string? search = null)
    {
        var page = Parse(_reader.List(new ContactListQuery(limit, cursor, search)));
        return ([.. page.GetProperty("items").EnumerateArray().Select(c => c.GetProperty("name").GetString()!)], page.GetProperty("nextCursor").GetString());
    }

    [Fact]
    public void Insert_AllFields_AreReadBackAsTheyWereAnswered()
    {
        var (id, answered) = Insert(new ContactFields("Ada \"A\" Löve 😀\n", "Ada@X.test", "+49 170", "Fjord & Co </script>", "line\r\n\ttab \u0001 \u2028", "agent-7"));
        var (written, read) = (Parse(answered), Parse(_reader.Get(id)));
        Assert.Equal(9, read.EnumerateObject().Count());
        foreach (var property in read.EnumerateObject()) Assert.Equal(property.Value.GetString(), written.GetProperty(property.Name).GetString());
        Assert.Equal("Ada \"A\" Löve 😀\n", read.GetProperty("name").GetString());
        Assert.Equal("line\r\n\ttab \u0001 \u2028", read.GetProperty("notes").GetString());
        Assert.Equal("2026-11-23T20:00:00.123Z", read.GetProperty("createdAt").GetString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("ada@x.test")]
    public void Insert_SameIdAgain_IsTheSameContactOnce(string? email)
    {
        var id = Guid.CreateVersion7().ToString();
        var first = _writer.Insert(id, new ContactFields("Ada", email));
        var again = _writer.Insert(id, new ContactFields("Ada", email));
        Assert.Equal(Parse(first).GetProperty("createdAt").GetString(), Parse(again).GetProperty("createdAt").GetString());
        Assert.Equal(["Ada"], Page(10).Names);
    }

    [Fact]
    public void Insert_OnlyAName_GivesNullForTheRest()
    {
        var read = Parse(_reader.Get(Add("Bo")));
        foreach (var field in (string[])["email", "phone", "company", "notes", "agentId"]) Assert.Equal(JsonValueKind.Null, read.GetProperty(field).ValueKind);
    }

    [Fact]
    public void Get_UnknownId_GivesNothing() => Assert.Null(_reader.Get("nobody").Utf8);

    [Theory]
    [InlineData("a@x.test", "1", "A@X.TEST", "2", true)]
    [InlineData("a@x.test", "1", "b@x.test", "1", false)]
    [InlineData(null, "+49 170", null, "+49-170", true)]
    [InlineData(null, "49170", null, "+49170", false)]
    [InlineData(null, "1", "a@x.test", "1", false)]
    [InlineData(null, "no digits", null, "no digits", false)]
    [InlineData(null, null, null, null, false)]
    public void Insert_SameEmailOrPhone_IsRefusedAndChangesNothing(string? email, string? phone, string? email2, string? phone2, bool refused)
    {
        Add("one", email, phone);
        if (refused) Assert.Equal(OrganizationErrorCode.ContactExists, Assert.Throws<OrganizationException>(() => Add("two", email2, phone2)).Code);
        else Add("two", email2, phone2);
        Assert.Equal(refused ? ["one"] : ["two", "one"], Page(10).Names);
    }

    [Fact]
    public void Replace_ChangesTheFieldsAndKeepsWhenItWasMade()
    {
        var id = Add("one", "a@x.test");
        _time.Advance(TimeSpan.FromHours(1));
        var replaced = Parse(_writer.Replace(id, new ContactFields("uno", Phone: "5")));
        Assert.Equal(("uno", "2026-11-23T20:00:00.123Z", "2026-11-23T21:00:00.123Z"),
            (replaced.GetProperty("name").GetString(), replaced.GetProperty("createdAt").GetString(), replaced.GetProperty("updatedAt").GetString()));
        Add("two", "a@x.test"); // the address is free again
    }

    [Fact]
    public void Replace_WithAnothersEmail_IsRefused()
    {
        Add("one", "a@x.test");
        var two = Add("two", "b@x.test");
        Assert.Equal(OrganizationErrorCode.ContactExists, Assert.Throws<OrganizationException>(() => _writer.Replace(two, new ContactFields("two", "A@x.test"))).Code);
        Assert.Equal("b@x.test", Parse(_reader.Get(two)).GetProperty("email").GetString());
    }

    [Fact]
    public void ReplaceAndDelete_UnknownId_SayThatThereIsNone()
    {
        Assert.Null(_writer.Replace("nobody", new ContactFields("x")).Utf8);
        Assert.False(_writer.Delete("nobody"));
    }

    [Fact]
    public void List_Paged_GivesEachContactOnceNewestFirst()
    {
        var added = Enumerable.Range(0, 25).Select(i => $"c{i:00}").ToArray();
        foreach (var name in added) Add(name);
        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var (names, next) = Page(10, cursor);
            Assert.True(names.Length <= 10);
            seen.AddRange(names);
            if (cursor is null) Add("added meanwhile");
            cursor = next;
        }
        while (cursor is not null);
        Assert.Equal(added.Reverse(), seen);
    }

    [Theory]
    [InlineData(24, true)]
    [InlineData(25, false)]
    [InlineData(26, false)]
    public void List_NextCursor_IsThereOnlyWhenThereIsMore(int limit, bool more)
    {
        for (var i = 0; i < 25; i++) Add("same", $"{i}@x.test");
        Assert.Equal(more, Page(limit).Next is not null);
        Assert.Equal(more, Page(limit, search: "same").Next is not null);
    }

    [Theory]
    [InlineData("lOve", "Ada Love")]
    [InlineData("x.tes", "Bo")]
    [InlineData("555", "Cleo")]
    [InlineData("fjord", "Dan")]
    [InlineData("100%", "Eva 100%")]
    [InlineData("_", "Finn_")]
    [InlineData("\\", "Gil\\")]
    [InlineData("'; DROP TABLE contacts; --", null)]
    public void List_Search_MatchesPartsOfNameEmailPhoneCompany(string search, string? expected)
    {
        Add("Ada Love");
        Add("Bo", "bo@x.test");
        Add("Cleo", phone: "1-555");
        Add("Dan", company: "Fjord");
        Add("Eva 100%");
        Add("Finn_");
        Add("Gil\\");
        Assert.Equal(expected is null ? [] : [expected], Page(10, search: search).Names);
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("s0")]
    [InlineData("x1")]
    [InlineData("s-1")]
    [InlineData("s8000000000000000")]
    [InlineData("sFFFFFFFFFFFFFFFFFF")]
    public void List_CursorThatIsNotOurs_IsRefused(string cursor) =>
        Assert.Equal(OrganizationErrorCode.InvalidRequest, Assert.Throws<OrganizationException>(() => Page(10, cursor)).Code);

    [Fact]
    public void Count_FollowsInsertsAndDeletes()
    {
        var id = Add("one");
        Add("two");
        Assert.True(_writer.Delete(id));
        Assert.Equal(1, Parse(_reader.Count()).GetProperty("count").GetInt64());
    }

    [Fact]
    public void Reader_CannotWrite()
    {
        using var reader = OrgConnection.OpenReader(_folder["org.db"]);
        Assert.Throws<Microsoft.Data.Sqlite.SqliteException>(() => reader.Execute("DELETE FROM contacts"));
    }
}
