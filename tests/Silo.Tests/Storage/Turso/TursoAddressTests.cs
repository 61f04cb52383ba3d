using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

public sealed class TursoAddressTests
{
    [Theory]
    [InlineData("libsql", "://acme.turso.example", "https", "://acme.turso.example/")]
    [InlineData("libsql", "://acme.turso.example:444/?tls=1", "https", "://acme.turso.example:444/")]
    [InlineData("libsql", "://127.0.0.1:8080?tls=0", "http", "://127.0.0.1:8080/")]
    [InlineData("https", "://acme.turso.example/", "https", "://acme.turso.example/")]
    [InlineData("https", "://acme.turso.example/a/b?tls=1", "https", "://acme.turso.example/a/b/")]
    [InlineData("http", "://a-b_c.localhost:8080", "http", "://a-b_c.localhost:8080/")]
    [InlineData("wss", "://acme.turso.example", "https", "://acme.turso.example/")]
    [InlineData("ws", "://[::1]:8080", "http", "://[::1]:8080/")]
    [InlineData(" HTTP", "://ACME.localhost ", "http", "://acme.localhost/")]
    public void Parse_Address_IsWhereRequestsGo(string scheme, string rest, string expectedScheme, string expectedRest) =>
        Assert.Equal(expectedScheme + expectedRest, TursoAddress.Parse(scheme + rest).Url.ToString());

    [Theory]
    [InlineData(null, "is no address")]
    [InlineData("", "is no address")]
    [InlineData("acme.turso.example", "is no address")]
    [InlineData("file:///data/local.db", "begins with 'file:'")]
    [InlineData("ftp://acme.example", "begins with 'ftp:'")]
    [InlineData("libsql://", "has no host")]
    [InlineData("libsql://secret@acme.example", "holds a user or a password")]
    [InlineData("libsql://user:secret@acme.example", "holds a user or a password")]
    [InlineData("libsql://acme.example?authToken=secret", "besides 'tls=0'")]
    [InlineData("libsql://acme.example?jwt=secret&tls=1", "besides 'tls=0'")]
    [InlineData("libsql://acme.example#secret", "after '#'")]
    [InlineData("https://acme.example?tls=0", "the opposite")]
    [InlineData("ws://acme.example?tls=1", "the opposite")]
    public void Parse_WhatCannotBeUsed_IsRefusedWithoutRepeatingSecrets(string? text, string reason)
    {
        var failure = Assert.Throws<TursoException>(() => TursoAddress.Parse(text));
        Assert.Equal(TursoFailure.Address, failure.Failure);
        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret@", failure.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("=secret", failure.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("#secret", failure.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(":secret", failure.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https", "://acme.example", "https", "://other.example/x", true)]
    [InlineData("http", "://acme.example", "https", "://other.example", true)]
    [InlineData("http", "://acme.example", "http", "://other.example", true)]
    [InlineData("https", "://acme.example", "http", "://other.example", false)]
    [InlineData("https", "://acme.example", "https", "://user@other.example", false)]
    [InlineData("https", "://acme.example", "file", ":///x", false)]
    [InlineData("https", "://acme.example", "", "/x", false)]
    public void Sibling_OfAnAddress_IsAsSafe(string scheme, string rest, string siblingScheme, string siblingRest, bool isTaken)
    {
        var address = TursoAddress.Parse(scheme + rest);
        if (isTaken) Assert.StartsWith(siblingScheme + siblingRest, address.Sibling(siblingScheme + siblingRest).ToString(), StringComparison.Ordinal);
        else Assert.Throws<FormatException>(() => address.Sibling(siblingScheme + siblingRest));
    }
}
