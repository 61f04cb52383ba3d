using System.CommandLine;
using Silo.Cluster.Hosting;
using Silo.Contracts.Hosting;
using Silo.Storage.Litestream;

var siloPort = new Option<int>("--silo-port") { Description = "Where other silos reach this one; 0 is chosen by the system.", DefaultValueFactory = _ => 11111 };
var gatewayPort = new Option<int>("--gateway-port") { Description = "Where gateways reach this silo; 0 is chosen by the system.", DefaultValueFactory = _ => 30000 };
var readyFile = new Option<FileInfo?>("--ready-file") { Description = "A file to write, in one piece, when the process serves." };
var command = new RootCommand("A silo: holds organizations' databases and replicates them to the bucket. Any setting goes as --Section:Key=value.")
{
    siloPort, gatewayPort, readyFile,
};
var (settings, options) = SettingArguments.Split(args);

command.SetAction((arguments, cancellationToken) => StartupRefusal.ReportAsync(async () =>
{
    var builder = Host.CreateApplicationBuilder(settings);
    builder.Configuration["Clustering:SiloPort"] = arguments.GetValue(siloPort).ToString(System.Globalization.CultureInfo.InvariantCulture);
    builder.Configuration["Clustering:GatewayPort"] = arguments.GetValue(gatewayPort).ToString(System.Globalization.CultureInfo.InvariantCulture);
    var litestream = await LitestreamBinary.LocateAsync(builder.Configuration["Litestream:Path"], cancellationToken);
    builder.AddSiloCluster(litestream);
    using var host = builder.Build();
    await host.StartAsync(cancellationToken);
    if (arguments.GetValue(readyFile) is { } file) new ReadyFile { DataDirectory = builder.Configuration["Database:DataDirectory"] }.Write(file.FullName);
    await host.WaitForShutdownAsync(cancellationToken);
}));
// The host itself listens to SIGTERM and takes the time that it needs; this would end the process after two seconds.
return await command.Parse(options).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
