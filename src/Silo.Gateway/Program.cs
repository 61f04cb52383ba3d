using System.CommandLine;
using Microsoft.Extensions.Options;
using Silo.Contracts.Hosting;
using Silo.Gateway;
using Silo.Gateway.Clustering;

var urls = ListeningAddress.Option();
var readyFile = new Option<FileInfo?>("--ready-file") { Description = "A file to write, in one piece, when the process serves." };
var command = new RootCommand("Silo's gateway: HTTP in front of a cluster of silos. Any setting goes as --Section:Key=value.") { urls, readyFile };
var (settings, options) = SettingArguments.Split(args);

command.SetAction(async (arguments, cancellationToken) =>
{
    try
    {
        ListeningAddress.RefuseIfInUse(arguments.GetRequiredValue(urls));
        var builder = WebApplication.CreateBuilder([ServingHost.ReadSettingsOnce, .. settings]);
        builder.WebHost.UseUrls(arguments.GetRequiredValue(urls));
        builder.AddSiloGateway();
        builder.AddSiloClusterClient();
        await using var app = builder.Build();
        app.MapSiloGateway();
        await app.ServeAsync(
            () =>
            {
                if (arguments.GetValue(readyFile) is { } file) new ReadyFile { Url = ListeningAddress.Of(app) }.Write(file.FullName);
                return Task.CompletedTask;
            }, cancellationToken);
        return 0;
    }
    // A setting that breaks a rule or cannot be read, or a port or a certificate that cannot be had: one sentence for the operator, who needs no stack trace.
    catch (Exception refused) when (refused is OptionsValidationException or IOException or InvalidOperationException { InnerException: FormatException })
    {
        await Console.Error.WriteLineAsync(refused.Message);
        return 1;
    }
});
// The host itself listens to SIGTERM and takes the time that it needs; this would end the process after two seconds.
return await command.Parse(options).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
