using System.Collections.Concurrent;
using Silo.Gateway.Authentication;

namespace Silo.Benchmarks.Data;

/// <summary>The tokens of a run: one per organization, and an operator's.</summary>
internal sealed class BenchmarkTokens
{
    private readonly DevelopmentTokens _tokens;
    private readonly ConcurrentDictionary<string, string> _members = new();

    public BenchmarkTokens()
    {
        _tokens = new DevelopmentTokens(SigningKey, TimeProvider.System);
        Admin = _tokens.Admin();
    }

    /// <summary>What both servers check with.</summary>
    public string SigningKey { get; } = DevelopmentTokens.NewSigningKey();

    /// <summary>An operator's.</summary>
    public string Admin { get; }

    /// <summary>An organization's.</summary>
    public string Member(string organization) => _members.GetOrAdd(organization, id => _tokens.Member(id));
}
