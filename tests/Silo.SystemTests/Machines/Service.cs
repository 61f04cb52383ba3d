using Silo.Gateway.Authentication;

namespace Silo.SystemTests.Machines;

/// <summary>The HTTP side of a running service, and tokens for it.</summary>
/// <param name="url">Where it serves.</param>
/// <param name="timeout">The longest wait for an answer; three minutes if it is not given.</param>
internal sealed class Service(string url, TimeSpan? timeout = null) : IDisposable
{
    public static readonly string SigningKey = DevelopmentTokens.NewSigningKey();

    private readonly HttpClient _http = new() { BaseAddress = new Uri(url), Timeout = timeout ?? TimeSpan.FromMinutes(3) };

    public static DevelopmentTokens Tokens { get; } = new(SigningKey, TimeProvider.System);

    /// <summary>Where it serves.</summary>
    public string Url => url;

    /// <summary>An operator.</summary>
    public Client Operator => With(Tokens.Admin());

    /// <summary>A member of an organization.</summary>
    public Client Member(string organization) => With(Tokens.Member(organization));

    /// <summary>Whoever has this token; null for nobody.</summary>
    public Client With(string? token) => new(_http, token);

    public void Dispose() => _http.Dispose();
}
