using Silo.Contracts;

namespace Silo.Tests.Contracts;

public sealed class OrganizationIdTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("0")]
    [InlineData("demo")]
    [InlineData("a_b-c9")]
    [InlineData("123456789012345678901234567890123456789012345678901234567890123")]
    public void TryParse_WellFormed_KeepsText(string text)
    {
        Assert.True(OrganizationId.TryParse(text, out var id));
        Assert.Equal(text, id.Value);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("../x")]
    [InlineData("Demo")]
    [InlineData("-a")]
    [InlineData("a-")]
    [InlineData("_a")]
    [InlineData("a b")]
    [InlineData("%2e")]
    [InlineData("a.b")]
    [InlineData("a/b")]
    [InlineData("a\0")]
    [InlineData("ä")]
    [InlineData("a\n")]
    [InlineData("1234567890123456789012345678901234567890123456789012345678901234")]
    public void TryParse_Malformed_IsRefused(string? text)
    {
        Assert.False(OrganizationId.TryParse(text, out _));
        Assert.Equal(OrganizationErrorCode.InvalidOrganizationId, Assert.Throws<OrganizationException>(() => OrganizationId.Parse(text)).Code);
    }

    [Fact]
    public void Value_OfDefault_Throws() => Assert.Throws<InvalidOperationException>(() => default(OrganizationId).Value);
}
