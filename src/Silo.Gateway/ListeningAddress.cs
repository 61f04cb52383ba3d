using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Silo.Gateway;

/// <summary>Where a web server turned out to listen.</summary>
public static class ListeningAddress
{
    /// <summary>Its address, once the host has started; a port of 0 has become the one that the system chose.</summary>
    public static string Of(IHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
    }
}
