using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Silo.Storage.Gcs;

namespace Silo.Storage.Databases;

/// <summary>Adds organizations' databases to a host.</summary>
public static class DatabaseRegistration
{
    /// <summary>Adds <see cref="OrgDatabaseOpening"/>. Section <c>Database</c>; the bucket and Litestream are added on their own.</summary>
    public static IServiceCollection AddOrgDatabases(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DatabaseOptions>, DatabaseOptionsValidator>());
        services.AddOptions<DatabaseOptions>().Bind(configuration.GetSection("Database")).ValidateOnStart();
        services.AddSingleton<HeadStore>();
        services.AddSingleton<DataDirectoryLock>();
        services.AddSingleton<OrgDatabaseOpening>();
        return services;
    }
}
