using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Usage;

/// <summary>Adds what is known of organizations' use to a host.</summary>
public static class UsageRegistration
{
    /// <summary>Adds <see cref="UsageJournal"/>, with <see cref="WarmUpOptions"/> from the section <c>WarmUp</c>. The catalog is added on its own.</summary>
    public static IServiceCollection AddUsage(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<WarmUpOptions>, WarmUpOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<WarmUpOptions>, WarmUpRules>());
        services.AddOptions<WarmUpOptions>().Bind(configuration.GetSection("WarmUp")).ValidateOnStart();
        services.TryAddSingleton<UsageJournal>();
        return services;
    }
}
