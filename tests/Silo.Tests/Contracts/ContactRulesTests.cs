using CsCheck;
using Silo.Contracts.Contacts;

namespace Silo.Tests.Contracts;

public sealed class ContactRulesTests
{
    [Fact]
    public void Validate_EveryFieldAtItsLimit_FindsNothing()
    {
        var email = new string('a', 64) + "@" + new string('b', ContactRules.MaxEmail - 65);
        Assert.Null(ContactRules.Validate(new ContactFields(new('n', 200), email, new('1', 40), new('c', 200), new('x', 10_000), new('a', 200))));
    }

    [Fact]
    public void Validate_EveryFieldOneOverItsLimit_NamesEachField()
    {
        var errors = ContactRules.Validate(new ContactFields(
            new('n', 201), new string('a', 64) + "@" + new string('b', ContactRules.MaxEmail - 64), new('1', 41), new('c', 201), new('x', 10_001), new('a', 201)));
        Assert.Equal(["agentId", "company", "email", "name", "notes", "phone"], errors!.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public void Validate_NoName_IsAnError(string? name) => Assert.Contains("name", ContactRules.Validate(new ContactFields(name))!.Keys);

    [Theory]
    [InlineData("a@b", true)]
    [InlineData("ada.l+x@mail.example.test", true)]
    [InlineData("ä@ö.test", true)]
    [InlineData("", false)]
    [InlineData("a", false)]
    [InlineData("@b", false)]
    [InlineData("a@", false)]
    [InlineData("a@b@c", false)]
    [InlineData("a b@c", false)]
    [InlineData("a@b.", false)]
    [InlineData("a@.b", false)]
    [InlineData("a@b\n", false)]
    public void Validate_Email_MustBeShapedLikeOne(string email, bool valid) =>
        Assert.Equal(valid, ContactRules.Validate(new ContactFields("n", email)) is null);

    [Fact] // not a theory: half of a pair does not survive in an attribute
    public void Validate_TextThatCannotBeStored_IsAnError()
    {
        foreach (var text in (string[])["a\0b", "half \uD83D of a pair", "\uDE00 first", "last \uD83D"])
            Assert.Contains("notes", ContactRules.Validate(new ContactFields("n", Notes: text))!.Keys);
    }

    [Fact]
    public void Validate_AnyWellFormedText_IsAccepted() =>
        Gen.String.Where(s => !s.Contains('\0') && IsWellFormed(s)).Sample(text => Assert.Null(ContactRules.Validate(new ContactFields("n", Notes: text))));

    [Theory]
    [InlineData("+49 (170) 123-45", "+4917012345")]
    [InlineData("0170/123 45", "017012345")]
    [InlineData("00 49", "0049")]
    [InlineData("1+2", "12")]
    [InlineData("call me", null)]
    [InlineData("+", null)]
    [InlineData(null, null)]
    public void PhoneKey_IsDigitsAndALeadingPlus(string? phone, string? key) => Assert.Equal(key, ContactRules.PhoneKey(phone));

    [Fact]
    public void EmailKey_FoldsCase() => Assert.Equal(ContactRules.EmailKey("ADA@X.test"), ContactRules.EmailKey("ada@x.TEST"));

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else if (char.IsSurrogate(text[i])) return false;
        }
        return true;
    }
}
