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

    /// <summary>Leaves it to that sentence: the host would log the same with a stack trace. What it calls critical it still says.</summary>
    public static void AddStartupRefusal(this ILoggingBuilder logging) => logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

    private static bool IsRefusal(Exception e) =>
        e is OptionsValidationException or LitestreamNotFoundException or DataDirectoryException or CatalogException
        or InvalidDataException // files of an earlier run that are damaged
        or IOException // a port or a folder that is in use, a certificate that is missing, a file that cannot be written
        or InvalidOperationException { InnerException: FormatException }; // a setting that cannot be read
}
