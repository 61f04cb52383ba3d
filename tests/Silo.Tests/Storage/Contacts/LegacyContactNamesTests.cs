using System.Text;
using System.Text.Json;
using Silo.Storage.Contacts;

namespace Silo.Tests.Storage.Contacts;

public sealed class LegacyContactNamesTests
{
    [Fact]
    public void Current_IsTheFileInConfig_WithEveryFieldUnderItsOwnNameFirst()
    {
        var names = LegacyContactNames.Current;
        Assert.Equal(ContactTable.Fields.Order(StringComparer.Ordinal), names.Fields.Keys.Order(StringComparer.Ordinal));
        Assert.All(names.Fields, field => Assert.Equal(field.Key, field.Value[0]));
        // One column cannot be two fields.
        var all = names.Fields.Values.SelectMany(columns => columns).ToList();
        Assert.Equal(all.Count, all.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.DoesNotContain(names.Required.Keys, all.Contains);
    }

    [Theory]
    [InlineData("""{"fields":{"id":["id"]},"required":{}}""")]
    [InlineData("""{"fields":{},"required":{},"more":1}""")]
    [InlineData("[]")]
    [InlineData("")]
    public void Parse_OfAnotherFile_IsRefused(string text) => Assert.Throws<JsonException>(() => LegacyContactNames.Parse(new MemoryStream(Encoding.UTF8.GetBytes(text))));

    [Fact]
    public void ColumnOf_TakesTheFirstThatIsThere_WhateverItsCase()
    {
        var columns = new HashSet<string>(["PHONENUMBER", "mobile", "x"], StringComparer.OrdinalIgnoreCase);
        Assert.Equal("phoneNumber", LegacyContactNames.Current.ColumnOf("phone", columns));
        Assert.Null(LegacyContactNames.Current.ColumnOf("email", columns));
    }
}
