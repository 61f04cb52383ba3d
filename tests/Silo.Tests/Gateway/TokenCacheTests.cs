using System.Security.Claims;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Gateway.Authentication;

namespace Silo.Tests.Gateway;

public sealed class TokenCacheTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Caller _caller = new(new ClaimsPrincipal(new ClaimsIdentity([new Claim("org", "demo"), new Claim("role", "member")])));

    [Theory]
    [InlineData(60, 59, true)]
    [InlineData(60, 60, false)]
    [InlineData(3600, 299, true)]
    [InlineData(3600, 300, false)]
    public void Token_IsKnownUntilItsEndAndNoLongerThanTheCacheTime(int validSeconds, int afterSeconds, bool known)
    {
        var cache = Cache(10);
        cache.Add("Bearer a", _caller, _time.GetUtcNow().AddSeconds(validSeconds));
        _time.Advance(TimeSpan.FromSeconds(afterSeconds));
        Assert.Equal(known, cache.TryGet("Bearer a", out var caller));
        Assert.Same(known ? _caller : null, caller);
    }

    [Fact]
    public void Token_ThatHasExpired_IsNotAdded()
    {
        var cache = Cache(10);
        cache.Add("Bearer a", _caller, _time.GetUtcNow());
        Assert.False(cache.TryGet("Bearer a", out _));
    }

    [Fact]
    public void FullCache_LosesExpiredTokensFirst()
    {
        var cache = Cache(3);
        cache.Add("old", _caller, _time.GetUtcNow().AddSeconds(1));
        cache.Add("a", _caller, _time.GetUtcNow().AddSeconds(100));
        cache.Add("b", _caller, _time.GetUtcNow().AddSeconds(100));
        _time.Advance(TimeSpan.FromSeconds(2));
        cache.Add("c", _caller, _time.GetUtcNow().AddSeconds(100));
        Assert.All(["a", "b", "c"], token => Assert.True(cache.TryGet(token, out _)));
    }

    [Fact]
    public void FullCache_OfGoodTokens_StartsAnew()
    {
        var cache = Cache(2);
        foreach (var token in new[] { "a", "b", "c" }) cache.Add(token, _caller, _time.GetUtcNow().AddSeconds(100));
        Assert.False(cache.TryGet("a", out _));
        Assert.False(cache.TryGet("b", out _));
        Assert.True(cache.TryGet("c", out _));
    }

    private TokenCache Cache(int capacity) => new(Options.Create(new AuthOptions { CachedTokens = capacity }), _time);
}
