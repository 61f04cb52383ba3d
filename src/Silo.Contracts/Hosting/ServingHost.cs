using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;

namespace Silo.Contracts.Hosting;

/// <summary>The life of a program that serves, from its start to its end.</summary>
public static class ServingHost
{
    /// <summary>
    /// A setting of the host, as the first of its arguments: files of settings are read once. .NET would otherwise watch all that lies below
    /// the working directory for changes of them, and by default that is where the databases are.
    /// </summary>
    public const string ReadSettingsOnce = "--hostBuilder:reloadConfigOnChange=false";

    private const string WebServer = "Microsoft.AspNetCore.Server.Kestrel.Core";

    /// <summary>
    /// Starts a host, lets it be told that it serves, and waits until it is to end. The port for HTTP comes last, and the telling after it;
    /// when one of them fails, what has started is stopped in order.
    /// </summary>
    /// <param name="host">The host.</param>
    /// <param name="serving">Tells whoever waits for it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">It cannot serve: a port is in use, HTTPS has no certificate, or nobody could be told. The message is for the operator.</exception>
    public static async Task ServeAsync(this IHost host, Func<Task> serving, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(serving);
        try
        {
            await host.StartAsync(cancellationToken);
            await serving();
        }
        catch (Exception e) when (e is IOException || IsOfTheCertificate(e))
        {
            await host.StopAsync(CancellationToken.None);
            if (e is IOException) throw;
            throw new IOException($"HTTPS cannot be served: {e.Message.Split('\n')[0].TrimEnd('\r', '.')}. Name a certificate with Kestrel:Certificates:Default:Path (and :Password), or serve http:// behind a proxy that has one.", e);
        }
        await host.WaitForShutdownAsync(cancellationToken);
    }

    private static bool IsOfTheCertificate(Exception e) => e is CryptographicException || (e is InvalidOperationException && e.Source == WebServer);
}
