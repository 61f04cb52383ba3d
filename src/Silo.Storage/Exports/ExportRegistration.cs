using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Exports;

/// <summary>Adds exports to a host.</summary>
public static class ExportRegistration
{
    /// <summary>Adds <see cref="DatabaseExports"/>. Section <c>Exports</c>; the databases are added on their own.</summary>
    public static IServiceCollection AddDatabaseExports(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ExportsOptions>, ExportsOptionsValidator>());
        services.AddOptions<ExportsOptions>().Bind(configuration.GetSection(ExportsOptions.Section)).ValidateOnStart();
        services.AddMetrics();
        services.AddSingleton<DatabaseExports>();
        return services;
    }
}
