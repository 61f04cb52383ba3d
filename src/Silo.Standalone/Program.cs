using System.CommandLine;
using Silo.Cluster.Hosting;
using Silo.Contracts.Hosting;
using Silo.Gateway;
using Silo.Standalone;
using Silo.Storage;
using Silo.Storage.Litestream;

var urls = ListeningAddress.Option();
var data = new Option<string>("--data") { Description = "The folder that keeps everything (mode 0700).", DefaultValueFactory = _ => "./data" };
var bucketPort = new Option<int>("--bucket-port") { Description = "The port of the bucket emulator; 0 is chosen by the system.", DefaultValueFactory = _ => 4443 };
var noEmulator = new Option<bool>("--no-emulator")
{
    Description = "No bucket of its own: use GCS_BUCKET_NAME, at Google with Application Default Credentials, or at STORAGE_EMULATOR_HOST. "
        + "Hosts that share a bucket need a --Clustering:ClusterId=NAME each.",
};
var noFlush = new Option<bool>("--no-flush") { Description = "The bucket does not wait for the disk: a power cut may damage it. For tests." };
var readyFile = new Option<FileInfo?>("--ready-file") { Description = "A file to write, in one piece, when the process serves." };
var command = new RootCommand("Silo in one process: gateway, silo and a bucket on this disk. Any setting goes as --Section:Key=value.")
{
    urls, data, bucketPort, noEmulator, noFlush, readyFile,
};
var (settings, options) = SettingArguments.Split(args);
OwnerOnlyFiles.Begin();

command.SetAction((arguments, cancellationToken) => StartupRefusal.ReportAsync(async () =>
{
    ListeningAddress.RefuseIfInUse(arguments.GetRequiredValue(urls));
    var folder = StandaloneFolder.Open(arguments.GetRequiredValue(data));
    var builder = WebApplication.CreateBuilder([ServingHost.ReadSettingsOnce, .. settings]);
    builder.WebHost.UseUrls(arguments.GetRequiredValue(urls));
    var ownKey = builder.Configuration.NeedsSigningKey();
    builder.AddStandaloneDefaults(folder);

    var litestream = await LitestreamBinary.LocateAsync(builder.Configuration["Litestream:Path"], builder.Configuration["Litestream:Sha256"], cancellationToken);
    // The bucket is stopped last: what is put away at the end goes there.
    await using var bucket = arguments.GetValue(noEmulator)
        ? null
        : await builder.StartBucketAsync(folder, arguments.GetValue(bucketPort), flush: !arguments.GetValue(noFlush), cancellationToken);
    builder.AddSiloCluster(litestream);
    builder.AddSiloGateway();
    await using var app = builder.Build();
    app.MapSiloGateway();
    await app.ServeAsync(
        async () =>
        {
            var url = ListeningAddress.Of(app);
            await app.Services.AddDemoOrganizationAsync(cancellationToken);
            if (arguments.GetValue(readyFile) is { } file)
                new ReadyFile { Url = url, BucketUrl = bucket?.Url.ToString().TrimEnd('/'), DataDirectory = folder.Path }.Write(file.FullName);
            Welcome.Print(url, bucket?.Url, folder, ownKey ? app.Configuration["Auth:SigningKey"] : null);
        }, cancellationToken);
}));
// The host itself listens to SIGTERM and takes the time that it needs; this would end the process after two seconds.
return await command.Parse(options).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
