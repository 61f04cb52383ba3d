using System.CommandLine;
using Microsoft.Extensions.Options;
using Silo.GcsEmulator;

var port = new Option<int>("--port") { Description = "Port on 127.0.0.1; 0 lets the system choose.", DefaultValueFactory = _ => 4443 };
var data = new Option<string>("--data") { Description = "Folder that keeps the buckets.", DefaultValueFactory = _ => "./gcs-data" };
var bucket = new Option<string[]>("--bucket") { Description = "A bucket to create when it is not there; may be given several times." };
var flush = new Option<bool>("--flush") { Description = "Wait for the disk at every write, so that a power cut loses nothing either." };
var readyFile = new Option<FileInfo?>("--ready-file") { Description = "Written, in one piece, when the emulator serves." };

var command = new RootCommand("Emulates the part of Google Cloud Storage that Litestream and Silo use. For development and tests.")
{
    port, data, bucket, flush, readyFile,
};
command.SetAction(async (arguments, stopping) =>
{
    using var loggers = LoggerFactory.Create(logging => logging
        .AddSimpleConsole(console => console.SingleLine = true)
        .SetMinimumLevel(LogLevel.Warning)
        .AddFilter(typeof(GcsEmulatorServer).FullName, LogLevel.Information));
    var options = new GcsEmulatorOptions
    {
        Port = arguments.GetValue(port),
        DataDirectory = arguments.GetRequiredValue(data),
        FlushToDisk = arguments.GetValue(flush),
        LoggerFactory = loggers,
    };
    foreach (var name in arguments.GetValue(bucket) ?? []) options.Buckets.Add(name);
    try
    {
        await using var server = await GcsEmulatorServer.StartAsync(options, stopping);
        if (arguments.GetValue(readyFile) is { } file) ReadyFile.Write(file.FullName, server);
        await Task.Delay(Timeout.Infinite, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }
    catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or InvalidDataException or OptionsValidationException)
    {
        await Console.Error.WriteLineAsync(problem.Message);
        return 1;
    }
});
return await command.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(10) });
