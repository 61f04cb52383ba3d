using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;

namespace Silo.Gateway.Limits;

/// <summary>How much this process takes at once: connections, headers, bodies, requests, and requests of one organization.</summary>
internal static class RequestLimits
{
    private const string Everyone = "";

    public static void AddRequestLimits(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<GatewayOptions>().Bind(configuration.GetSection(GatewayOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<GatewayOptions>, GatewayOptionsValidator>());
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<GatewayOptions>>((kestrel, gateway) => Configure(kestrel, gateway.Value));
        services.AddDrainLimit();
        services.AddRateLimiter(_ => { });
        services.AddOptions<RateLimiterOptions>().Configure<IOptions<GatewayOptions>>((limiter, gateway) => Configure(limiter, gateway.Value));
    }

    private static void Configure(KestrelServerOptions kestrel, GatewayOptions gateway)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = gateway.MaxConnections;
        kestrel.Limits.MaxRequestBodySize = gateway.MaxContactBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = gateway.MaxHeaderBytes;
        kestrel.Limits.RequestHeadersTimeout = gateway.HeadersTimeout;
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(gateway.MinBodyBytesPerSecond, TimeSpan.FromSeconds(5));
    }

    private static void Configure(RateLimiterOptions limiter, GatewayOptions gateway)
    {
        var everyone = new ConcurrencyLimiterOptions
        {
            PermitLimit = gateway.MaxConcurrentRequests,
            QueueLimit = gateway.MaxQueuedRequests,
        };
        var organization = new ConcurrencyLimiterOptions
        {
            PermitLimit = gateway.MaxConcurrentRequestsPerOrganization,
            QueueLimit = gateway.MaxQueuedRequestsPerOrganization,
        };
        // The organization's own queue comes first: those who wait in it hold no permit that others need.
        limiter.GlobalLimiter = PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(context => context.User is Caller { OrganizationIfAny: { } id }
                ? RateLimitPartition.GetConcurrencyLimiter(id.Value, _ => organization)
                : RateLimitPartition.GetNoLimiter(Everyone)),
            PartitionedRateLimiter.Create<HttpContext, string>(_ => RateLimitPartition.GetConcurrencyLimiter(Everyone, _ => everyone)));
        limiter.OnRejected = (context, _) => new ValueTask(ProblemAnswer.Write(context.HttpContext, ProblemType.TooManyRequests));
    }
}
