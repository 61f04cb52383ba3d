using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Dashboard;
using Silo.Contracts.Hosting;
using GatewayListOptions = Orleans.Configuration.GatewayOptions;

namespace Silo.Gateway.Clustering;

/// <summary>
/// Connects a gateway to its silos beside the web server and not before it: Orleans' own hosted service would hold up the start
/// until a silo answers, and callers would meet a closed port where they should be told <c>cluster_unavailable</c>.
/// </summary>
internal sealed partial class ClusterConnection(IClusterClient client, ILogger<ClusterConnection> logger) : BackgroundService
{
    private readonly IHostedService _client = (IHostedService)client;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _client.StartAsync(stoppingToken);
        LogConnected(logger);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await _client.StopAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Information, "Connected to the cluster")]
    private static partial void LogConnected(ILogger logger);
}

/// <summary>The way from a gateway in a process of its own to its cluster.</summary>
public static class ClusterConnectionExtensions
{
    /// <summary>
    /// Adds the Orleans client. Not for a process that hosts a silo: there the client comes with it.
    /// </summary>
    public static IHostApplicationBuilder AddSiloClusterClient(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = builder.AddClustering();
        builder.Services.TryAddSingleton(TimeProvider.System);
        var hostedBefore = builder.Services.Where(service => service.ServiceType == typeof(IHostedService)).ToHashSet();
        builder.UseOrleansClient(client =>
        {
            client.UseSilosOf(options);
            client.Configure<GatewayListOptions>(gateways => gateways.GatewayListRefreshPeriod = options.SiloListRefresh);
            client.UseConnectionRetryFilter<UntilConnected>();
            client.AddDashboard();
        });
        foreach (var service in builder.Services.Where(service => service.ServiceType == typeof(IHostedService) && !hostedBefore.Contains(service)).ToArray())
        {
            builder.Services.Remove(service);
        }
        builder.Services.AddHostedService<ClusterConnection>();
        builder.Services.AddHostedService<SiloDeathWatch>();
        return builder;
    }

    private static ClusteringOptions AddClustering(this IHostApplicationBuilder builder)
    {
        // Here and not at the start, as other options: Orleans is composed of them.
        var configuration = builder.Configuration;
        var options = configuration.GetSection(ClusteringOptions.Section).Get<ClusteringOptions>() ?? new ClusteringOptions();
        options.Connection = configuration.GetConnectionString("Cluster") ?? configuration.GetConnectionString("Catalog");
        if (new ClusteringOptionsValidator().Validate(null, options) is { Failed: true } result)
            throw new OptionsValidationException(nameof(ClusteringOptions), typeof(ClusteringOptions), result.Failures);
        builder.Services.AddSingleton(Options.Create(options));
        return options;
    }

    private static void UseSilosOf(this IClientBuilder client, ClusteringOptions options)
    {
        if (ClusterDatabase.Of(options.Provider, options.Connection) is not { } database)
        {
            client.UseLocalhostClustering(options.GatewayPort, serviceId: options.ClusterId, clusterId: options.ClusterId);
            return;
        }
        client.Configure<ClusterOptions>(cluster => cluster.ServiceId = cluster.ClusterId = options.ClusterId);
        client.UseAdoNetClustering(silos => (silos.Invariant, silos.ConnectionString) = (database.Invariant, database.ConnectionString));
    }
}

/// <summary>Tries for as long as the process lives: a gateway may start long before its cluster.</summary>
internal sealed partial class UntilConnected(IOptions<ClusteringOptions> options, TimeProvider time, ILogger<UntilConnected> logger)
    : IClientConnectionRetryFilter
{
    /// <inheritdoc/>
    public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
    {
        LogNotConnected(logger, exception.Message, options.Value.ConnectionRetryDelay);
        await Task.Delay(options.Value.ConnectionRetryDelay, time, cancellationToken);
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "The cluster cannot be reached: {Reason} Next try in {Delay}.")]
    private static partial void LogNotConnected(ILogger logger, string reason, TimeSpan delay);
}
