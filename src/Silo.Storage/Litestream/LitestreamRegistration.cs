using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>Adds Litestream to a host.</summary>
public static class LitestreamRegistration
{
    /// <summary>Adds what every Litestream process is started with.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configuration">Section <c>Litestream</c>.</param>
    /// <param name="binary">The checked binary.</param>
    public static IServiceCollection AddLitestream(this IServiceCollection services, IConfiguration configuration, LitestreamBinary binary)
    {
        services.AddSingleton<IValidateOptions<LitestreamOptions>, LitestreamOptionsValidator>();
        services.AddOptions<LitestreamOptions>().Bind(configuration.GetSection("Litestream")).ValidateOnStart();
        services.AddMetrics();
        services.AddSingleton(provider => new LitestreamRuntime(
            binary,
            provider.GetRequiredService<IOptions<LitestreamOptions>>().Value,
            new LitestreamEnvironment(provider.GetRequiredService<IOptions<GcsOptions>>().Value),
            provider.GetRequiredService<BucketClient>(),
            provider.GetRequiredService<IMeterFactory>()));
        return services;
    }
}
