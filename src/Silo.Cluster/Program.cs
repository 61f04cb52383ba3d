using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Silo.Cluster.Hosting;
using Silo.Cluster.Telemetry;
using Silo.Contracts.Hosting;
using Silo.Storage;
using Silo.Storage.Databases;
using Silo.Storage.Litestream;

var siloPort = new Option<int?>("--silo-port") { Description = "Where other silos reach this one; 0 is chosen by the system. [default: 11111]" };
var gatewayPort = new Option<int?>("--gateway-port") { Description = "Where gateways reach this silo; 0 is chosen by the system. [default: 30000]" };
var urls = MonitoringEndpoint.Option();
var readyFile = new Option<FileInfo?>("--ready-file") { Description = "A file to write, in one piece, when the process serves." };
var command = new RootCommand("A silo: holds organizations' databases and replicates them to the bucket. Any setting goes as --Section:Key=value.")
{
    siloPort, gatewayPort, urls, readyFile,
};
var (settings, options) = SettingArguments.Split(args);
OwnerOnlyFiles.Begin();

command.SetAction((arguments, cancellationToken) => StartupRefusal.ReportAsync(async () =>
{
    var builder = Host.CreateApplicationBuilder([ServingHost.ReadSettingsOnce, .. settings]);
    // Only if they are given: the settings of the same meaning come from anywhere. As sources, since a value that is merely set is
    // gone when another source is added.
    if (arguments.GetValue(siloPort) is { } forSilos) builder.Configuration.AddInMemoryCollection([new("Clustering:SiloPort", forSilos.ToString(CultureInfo.InvariantCulture))]);
    if (arguments.GetValue(gatewayPort) is { } forGateways) builder.Configuration.AddInMemoryCollection([new("Clustering:GatewayPort", forGateways.ToString(CultureInfo.InvariantCulture))]);
    var litestream = await LitestreamBinary.LocateAsync(builder.Configuration["Litestream:Path"], builder.Configuration["Litestream:Sha256"], cancellationToken);
    builder.AddSiloCluster(litestream);
    using var host = builder.Build();
    // Outside the host's life: a long start or stop can be watched, and a port that is taken is told before anything was.
    await using var monitoring = arguments.GetValue(urls) is { } addresses ? await MonitoringEndpoint.StartAsync(addresses, host.Services, cancellationToken) : null;
    await host.ServeAsync(
        () =>
        {
            if (arguments.GetValue(readyFile) is { } file)
            {
                new ReadyFile
                {
                    Url = monitoring?.Url,
                    GatewayPort = host.Services.GetRequiredService<IOptions<EndpointOptions>>().Value.GatewayPort,
                    DataDirectory = Path.GetFullPath(host.Services.GetRequiredService<IOptions<DatabaseOptions>>().Value.DataDirectory),
                }.Write(file.FullName);
            }
            return Task.CompletedTask;
        }, cancellationToken);
}));
// The host itself listens to SIGTERM and takes the time that it needs; this would end the process after two seconds.
return await command.Parse(options).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
