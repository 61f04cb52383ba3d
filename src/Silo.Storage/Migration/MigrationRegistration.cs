using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Migration;

/// <summary>Adds migrations to a host.</summary>
public static class MigrationRegistration
{
    /// <summary>Adds <see cref="OrganizationMigrations"/>, with <see cref="MigrationOptions"/> from the section <c>Migration</c>.</summary>
    public static IServiceCollection AddMigration(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MigrationOptions>, MigrationOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MigrationOptions>, MigrationRules>());
        services.TryAddSingleton<OrganizationMigrations>();
        services.AddOptions<MigrationOptions>().Bind(configuration.GetSection("Migration")).ValidateOnStart();
        return services;
    }
}
