using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Silo.Gateway.Limits;

/// <summary>
/// Kestrel, which waits for the requests that it has no longer than <see cref="GatewayOptions.DrainTimeout"/> when it is stopped, and then
/// closes their connections. By itself it waits as long as the host has for its whole stop: in one process with a silo, one download that
/// goes on would leave no time to put the databases away.
/// </summary>
internal sealed class DrainingServer(IServer kestrel, IOptions<GatewayOptions> options) : IServer
{
    public IFeatureCollection Features => kestrel.Features;

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull => kestrel.StartAsync(application, cancellationToken);

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.Value.DrainTimeout);
        await kestrel.StopAsync(limit.Token);
    }

    public void Dispose() => kestrel.Dispose();
}

internal static class DrainLimit
{
    /// <summary>Puts the limit around the server that is registered.</summary>
    public static void AddDrainLimit(this IServiceCollection services)
    {
        var kestrel = services.Last(service => service.ServiceType == typeof(IServer));
        services.Remove(kestrel);
        services.AddSingleton<IServer>(provider => ActivatorUtilities.CreateInstance<DrainingServer>(
            provider, (IServer)ActivatorUtilities.CreateInstance(provider, kestrel.ImplementationType!)));
    }
}
