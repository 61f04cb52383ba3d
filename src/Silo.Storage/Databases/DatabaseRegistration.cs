using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Storage.Databases;

/// <summary>Adds organizations' databases to a host.</summary>
public static class DatabaseRegistration
{
    /// <summary>Adds <see cref="OrgDatabaseOpening"/> and <see cref="TursoOrgDatabaseOpening"/>. Sections <c>Database</c> and <c>Lease</c>; the bucket, the catalog, Litestream and Turso are added on their own.</summary>
    public static IServiceCollection AddOrgDatabases(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DatabaseOptions>, DatabaseOptionsValidator>());
        services.AddOptions<DatabaseOptions>().Bind(configuration.GetSection("Database")).ValidateOnStart();
        services.AddSingleton<IValidateOptions<LeaseOptions>, LeaseOptionsValidator>();
        services.AddOptions<LeaseOptions>().Bind(configuration.GetSection("Lease")).ValidateOnStart();
        services.AddMetrics();
        services.AddSingleton<ActivationMetrics>();
        services.AddSingleton<DatabaseMetrics>();
        services.AddSingleton<HeadStore>();
        services.AddSingleton<DataDirectoryLock>();
        services.AddSingleton<KnownDeaths>();
        services.AddSingleton<ReplicaRetention>();
        services.AddSingleton<OrgDatabaseOpening>();
        services.AddSingleton<TursoOrgDatabaseOpening>();
        return services;
    }
}
