using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Turso;

/// <summary>Adds Turso to a host.</summary>
public static class TursoRegistration
{
    /// <summary>Adds <see cref="TursoClient"/> with the section <c>Turso</c>.</summary>
    public static IServiceCollection AddTurso(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TursoOptions>, TursoOptionsValidator>());
        services.AddOptions<TursoOptions>().Bind(configuration.GetSection("Turso")).ValidateOnStart();
        services.TryAddSingleton<TursoClient>();
        return services;
    }
}
