using Microsoft.Extensions.Options;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Litestream;

namespace Silo.Cluster.Hosting;

/// <summary>Turns what a start refuses for into one sentence on the error stream: it is for the operator, who needs no stack trace.</summary>
public static class StartupRefusal
{
    /// <summary>Runs a program.</summary>
    /// <returns>Its exit code: 0, or 1 when it refused to start.</returns>
    public static async Task<int> ReportAsync(Func<Task> run)
    {
        try
        {
            await run();
            return 0;
        }
        catch (Exception e) when (IsRefusal(e))
        {
            await Console.Error.WriteLineAsync(e is OptionsValidationException options ? string.Join(Environment.NewLine, options.Failures) : e.Message);
            return 1;
        }
    }

    /// <summary>Starts a host. The port for HTTP comes last; when it is in use, the silo that has started is stopped in order.</summary>
    public static async Task StartOrStopAsync(this IHost host, CancellationToken cancellationToken)
    {
        try
        {
            await host.StartAsync(cancellationToken);
        }
        catch (IOException)
        {
            await host.StopAsync(CancellationToken.None);
            throw;
        }
    }

    /// <summary>Leaves it to that sentence: the host would log the same with a stack trace. What it calls critical it still says.</summary>
    public static void AddStartupRefusal(this ILoggingBuilder logging) => logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

    private static bool IsRefusal(Exception e) =>
        e is OptionsValidationException or LitestreamNotFoundException or DataDirectoryException or CatalogException
        or IOException // a port or a folder that is in use
        or InvalidOperationException { InnerException: FormatException }; // a setting that cannot be read
}
