using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Imports;

/// <summary>Adds bulk imports to a host; the bucket is added on its own.</summary>
public static class ImportRegistration
{
    /// <summary>Adds <see cref="StagedImports"/>, which is what a gateway needs. Section <c>Imports</c>.</summary>
    public static IServiceCollection AddStagedImports(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ImportsOptions>, ImportsOptionsValidator>());
        services.AddOptions<ImportsOptions>().Bind(configuration.GetSection(ImportsOptions.Section)).ValidateOnStart();
        services.TryAddSingleton<StagedImports>();
        return services;
    }

    /// <summary>Adds what takes them in, too, which is what a silo needs.</summary>
    public static IServiceCollection AddImportIntake(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddStagedImports(configuration);
        services.AddMetrics();
        services.AddSingleton<ImportIntake>();
        return services;
    }
}
