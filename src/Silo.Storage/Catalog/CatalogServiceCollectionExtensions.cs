using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;

namespace Silo.Storage.Catalog;

/// <summary>Adds the catalog to a host.</summary>
public static class CatalogServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="OrganizationCatalog"/> with <c>ConnectionStrings:Catalog</c> (a path, or a SQLite connection string) and the section
    /// <c>Catalog</c>; and the bucket, whose name new organizations get, and
    /// <c>Database</c>, whose durability they get if they name none. The host calls <see cref="OrganizationCatalog.MigrateAsync"/>.
    /// </summary>
    public static IServiceCollection AddOrganizationCatalog(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddGcsBucket(configuration);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<CatalogOptions>, CatalogOptionsValidator>());
        services.AddOptions<CatalogOptions>()
            .Bind(configuration.GetSection("Catalog"))
            .Configure(options => options.Connection = configuration.GetConnectionString("Catalog") ?? "")
            .ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DatabaseOptions>, DatabaseOptionsValidator>());
        services.AddOptions<DatabaseOptions>().Bind(configuration.GetSection("Database")).ValidateOnStart();
        services.TryAddSingleton<OrganizationCatalog>();
        return services;
    }
}
