using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Silo.Gateway;

/// <summary>Where a web server is to listen, and where it turned out to.</summary>
public static class ListeningAddress
{
    /// <summary>The option <c>--urls</c>. It is read before anything starts; the web server comes last and would say it with a stack trace.</summary>
    public static Option<string> Option()
    {
        var urls = new Option<string>("--urls")
        {
            Description = "Where to serve HTTP; a port of 0 is chosen by the system.",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("ASPNETCORE_URLS") ?? "http://127.0.0.1:8080",
        };
        urls.Validators.Add(Check);
        return urls;
    }

    /// <summary>Refuses an address that another program serves at before anything starts: the web server would find out when all the rest runs.</summary>
    /// <param name="urls">The value of <c>--urls</c>.</param>
    /// <exception cref="IOException">It is in use.</exception>
    public static void RefuseIfInUse(string urls)
    {
        ArgumentNullException.ThrowIfNull(urls);
        foreach (var url in urls.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var address = BindingAddress.Parse(url);
            if (address.IsUnixPipe || address.IsNamedPipe || address.Port == 0) continue;
            var host = address.Host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(address.Host, out var ip) ? ip : IPAddress.Any;
            try
            {
                using var listener = new TcpListener(host, address.Port);
                listener.Start();
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                throw new IOException($"Another program serves at {host}:{address.Port}: end it, or choose another address with --urls.", e);
            }
            catch (SocketException)
            {
                // The web server says better what else is wrong with it.
            }
        }
    }

    /// <summary>Its address, once the host has started; a port of 0 has become the one that the system chose.</summary>
    public static string Of(IHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
    }

    private static void Check(OptionResult given)
    {
        foreach (var url in given.GetValueOrDefault<string>().Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!IsUrl(url)) given.AddError($"'{url}' is no address to serve at; --urls takes one like http://127.0.0.1:8080.");
        }
    }

    private static bool IsUrl(string url)
    {
        try
        {
            return BindingAddress.Parse(url) is { Port: >= IPEndPoint.MinPort and <= IPEndPoint.MaxPort, Scheme: "http" or "https" };
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
