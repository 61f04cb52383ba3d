using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Dashboard;
using Silo.Cluster.Databases;
using Silo.Cluster.Membership;
using Silo.Cluster.Placement;
using Silo.Cluster.Telemetry;
using Silo.Cluster.Warming;
using Silo.Storage.Catalog;
using Silo.Storage.Copies;
using Silo.Storage.Databases;
using Silo.Storage.Exports;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Litestream;
using Silo.Storage.Migration;
using Silo.Storage.Turso;
using Silo.Storage.Usage;

namespace Silo.Cluster.Hosting;

/// <summary>Makes a host a silo: bucket, catalog, Litestream, databases, and the Orleans runtime that places the grains.</summary>
public static class SiloHosting
{
    /// <summary>What a silo needs beyond the last upload of its databases to stop in order.</summary>
    internal static readonly TimeSpan StopMargin = TimeSpan.FromSeconds(30);

    // Under every other source, so that any setting wins.
    private static readonly Dictionary<string, string?> LogLevels = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Orleans"] = "Warning",
        ["Logging:LogLevel:Polly"] = "Warning",
        // It compares its first tick with the machine's boot and complains at every start.
        ["Logging:LogLevel:Orleans.Runtime.Watchdog"] = "Error",
        // It complains when a stage of the stop takes more than a second, as a last upload does; ShutdownProgress tells of that.
        ["Logging:LogLevel:Orleans.Runtime.SiloLifecycleSubject"] = "Error",
        // Orleans logs a grain service's life under our name.
        ["Logging:LogLevel:Silo.Cluster.Databases.SiloDatabases"] = "Warning",
    };

    /// <summary>Adds the silo, in the order of the data's way from the bucket to the grain.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="litestream">The checked binary.</param>
    public static T AddSiloCluster<T>(this T builder, LitestreamBinary litestream)
        where T : IHostApplicationBuilder
    {
        var configuration = builder.Configuration;
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = LogLevels });
        builder.Logging.AddStartupRefusal();
        builder.AddSiloTelemetry();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddGcsBucket(configuration);
        builder.Services.AddOrganizationCatalog(configuration);
        builder.Services.AddLitestream(configuration, litestream);
        builder.Services.AddTurso(configuration);
        builder.Services.AddOrgDatabases(configuration);
        builder.Services.AddImportIntake(configuration);
        builder.Services.AddDatabaseExports(configuration);
        builder.Services.AddSingleton<OrganizationCopies>();
        builder.Services.AddMigration(configuration);
        builder.Services.AddUsage(configuration);

        var clustering = builder.Services.AddClustering(configuration);
        builder.Services.AddSingleton<IValidateOptions<ShutdownOptions>, ShutdownRules>();
        builder.Services.AddOptions<ShutdownOptions>().Bind(configuration.GetSection("Shutdown")).ValidateOnStart();
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<ShutdownOptions>>((host, shutdown) => host.ShutdownTimeout = shutdown.Value.Timeout);
        builder.Services.AddSingleton<ActiveDatabases>();
        builder.Services.AddSingleton<SiloDatabasesClient>();
        builder.Services.AddSingleton<SiloResources>();
        builder.Services.AddSingleton<SiloLoads>();
        builder.Services.AddSingleton<IdleTimes>();
        builder.Services.AddSingleton<WarmUpMetrics>();
        builder.Services.AddSingleton(Surroundings);
        // Before the silo takes calls, and after it has put everything away.
        builder.Services.AddHostedService<SiloPreparation>();
        builder.Services.AddHostedService<ShutdownProgress>();
        builder.UseOrleans(silo => silo.AddGrains(configuration, clustering));
        builder.Services.AddHostedService<DeathNotices>();
        builder.Services.AddHostedService(services => services.GetRequiredService<SiloLoads>());
        builder.Services.AddHostedService<LeftoverRecovery>();
        builder.Services.AddHostedService<LeaseSweep>();
        builder.Services.AddHostedService<RetentionSweep>();
        builder.Services.AddHostedService<ImportSweep>();
        builder.Services.AddHostedService<CopySweep>();
        builder.Services.AddHostedService<MigrationSweep>();
        builder.Services.AddHostedService<UsageRecording>();
        builder.Services.AddHostedService<WarmUp>();
        return builder;
    }

    private static WarmUpCluster Surroundings(IServiceProvider services)
    {
        var (membership, loads) = (services.GetRequiredService<ISiloStatusOracle>(), services.GetRequiredService<SiloLoads>());
        var maxFill = services.GetRequiredService<IOptions<WarmUpOptions>>().Value.MaxFill;
        return new WarmUpCluster(
            services.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToString(), () => [.. membership.GetActiveSilos().Select(silo => silo.ToString())], () => loads.HasRoom(maxFill));
    }

    private static ClusteringOptions AddClustering(this IServiceCollection services, IConfiguration configuration)
    {
        // Here and not at the start, as other options: Orleans is composed of them.
        var options = configuration.GetSection("Clustering").Get<ClusteringOptions>() ?? new ClusteringOptions();
        options.Connection = configuration.GetConnectionString("Cluster") ?? configuration.GetConnectionString("Catalog");
        if (new ClusteringOptionsValidator().Validate(null, options) is { Failed: true } result)
            throw new OptionsValidationException(nameof(ClusteringOptions), typeof(ClusteringOptions), result.Failures);
        services.AddSingleton(Options.Create(options));
        services.AddSingleton<MembershipTables>();
        return options;
    }

    private static void AddGrains(this ISiloBuilder silo, IConfiguration configuration, ClusteringOptions clustering)
    {
        silo.AddMembership(clustering);
        silo.AddGrainService<SiloDatabases>();
        silo.AddPlacementDirector<DatabasePlacement>(services => ActivatorUtilities.CreateInstance<DatabasePlacementDirector>(services));
        silo.AddDashboard();

        var databases = configuration.GetSection("Database").Get<DatabaseOptions>() ?? new DatabaseOptions();
        // Code that ignores its token goes on beside a new activation; these are above what a restore or a last upload may take.
        silo.Configure<GrainCollectionOptions>(options =>
        {
            options.ActivationTimeout = databases.ActivationTimeout + StopMargin;
            options.DeactivationTimeout = databases.FlushTimeout + StopMargin;
        });
    }
}
