using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace Silo.Gateway.Authentication;

/// <summary>Bearer tokens: who is calling, and what they may call (API.md, "Who is calling").</summary>
internal static class BearerTokens
{
    /// <summary>Longest <c>Authorization</c> header that is looked at.</summary>
    public const int MaxHeaderLength = 16_384;

    private const string Scheme = "Bearer ";

    private static readonly string[] SharedKeyAlgorithms = [SecurityAlgorithms.HmacSha256];

    // Never HS*: an authority's public key must not be usable as a shared secret.
    private static readonly string[] AuthorityAlgorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    public static void AddBearerTokens(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<AuthOptions>().Bind(configuration.GetSection(AuthOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<AuthOptions>, AuthOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TokenCache>();
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        KeepNoKeyRing(services);
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme)
            .Configure<IOptions<AuthOptions>, TokenCache>((bearer, auth, cache) => Configure(bearer, auth.Value, cache));
        services.AddAuthorizationBuilder()
            .AddPolicy(CallerPolicies.Member, policy => policy.RequireAssertion(context => context.User is Caller { IsMember: true }))
            .AddPolicy(CallerPolicies.Admin, policy => policy.RequireAssertion(context => context.User is Caller { IsAdmin: true }));
    }

    // AddAuthentication brings a hosted service that writes a key for cookies into the user's home at every first start. The one
    // cookie here needs none; whoever adds some still gets a key when it is first needed.
    private static void KeepNoKeyRing(IServiceCollection services)
    {
        foreach (var service in services.Where(service => service.ImplementationType?.Name == "DataProtectionHostedService").ToArray())
        {
            services.Remove(service);
        }
    }

    private static void Configure(JwtBearerOptions bearer, AuthOptions auth, TokenCache cache)
    {
        var rules = bearer.TokenValidationParameters;
        rules.NameClaimType = "sub";
        rules.RoleClaimType = "role";
        rules.ClockSkew = auth.ClockSkew;
        if (auth.SigningKey is { Length: > 0 } key)
        {
            rules.IssuerSigningKey = new SymmetricSecurityKey(Convert.FromBase64String(key));
            rules.ValidAlgorithms = SharedKeyAlgorithms;
            rules.ValidateAudience = auth.Audience is not null;
            rules.ValidateIssuer = auth.Issuer is not null;
        }
        else
        {
            bearer.Authority = auth.Authority;
            bearer.RequireHttpsMetadata = !new Uri(auth.Authority!).IsLoopback;
            rules.ValidAlgorithms = AuthorityAlgorithms;
        }
        rules.ValidAudience = auth.Audience;
        rules.ValidIssuer = auth.Issuer;
        bearer.MapInboundClaims = false;
        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = context => Recognize(context, cache),
            OnTokenValidated = context => Remember(context, cache),
        };
    }

    private static Task Recognize(MessageReceivedContext context, TokenCache cache)
    {
        if (AuthorizationOf(context.Request) is not { } authorization) return Task.CompletedTask;
        if (authorization.Length > MaxHeaderLength)
        {
            context.Fail("The token is too long.");
        }
        else if (cache.TryGet(authorization, out var caller))
        {
            context.Principal = caller;
            context.Success();
        }
        else if (context.Request.Headers.Authorization.Count == 0)
        {
            context.Token = authorization[Scheme.Length..]; // of the cookie, where the library does not look
        }
        return Task.CompletedTask;
    }

    private static Task Remember(TokenValidatedContext context, TokenCache cache)
    {
        var caller = new Caller(context.Principal!);
        context.Principal = caller;
        if (AuthorizationOf(context.Request) is { } authorization) cache.Add(authorization, caller, new DateTimeOffset(context.SecurityToken.ValidTo, TimeSpan.Zero));
        return Task.CompletedTask;
    }

    // Who sends a header means it, whatever cookie the browser adds.
    private static string? AuthorizationOf(HttpRequest request) =>
        request.Headers.Authorization.Count > 0 ? request.Headers.Authorization.ToString() : SessionCookie.AuthorizationOf(request);
}
