using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Silo.GcsEmulator.Faults;
using Silo.GcsEmulator.Http;

namespace Silo.GcsEmulator;

/// <summary>
/// A running emulator: the subset of Google Cloud Storage that Litestream, Silo and Google's clients use, on 127.0.0.1.
/// It ends when it is disposed, not on a signal: a host stops it after everything that still writes to it.
/// </summary>
public sealed partial class GcsEmulatorServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly DataFolder _data;
    private readonly FaultPlan _plan;

    private GcsEmulatorServer(WebApplication application, DataFolder data, FaultPlan plan)
    {
        (_application, _data, _plan) = (application, data, plan);
        Url = new Uri(application.Urls.Single());
    }

    /// <summary>Where it serves, with the port that was chosen: what <c>STORAGE_EMULATOR_HOST</c> is set to.</summary>
    public Uri Url { get; }

    /// <summary>The folder that holds everything, in full.</summary>
    public string DataDirectory => _data.Path;

    /// <summary>Opens the data folder and serves.</summary>
    /// <exception cref="OptionsValidationException">An option is out of its range.</exception>
    /// <exception cref="IOException">The port or the folder is in use.</exception>
    public static async Task<GcsEmulatorServer> StartAsync(GcsEmulatorOptions options, CancellationToken cancellationToken)
    {
        var validation = new GcsEmulatorOptionsValidator().Validate(null, options);
        if (validation.Failed) throw new OptionsValidationException(nameof(GcsEmulatorOptions), typeof(GcsEmulatorOptions), validation.Failures);

        var data = await DataFolder.OpenAsync(options, cancellationToken);
        var plan = new FaultPlan(options.TimeProvider);
        var logger = options.LoggerFactory.CreateLogger<GcsEmulatorServer>();
        var application = Build(options, new GcsEndpoint(data, plan, options.TimeProvider, logger));
        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch
        {
            await application.DisposeAsync();
            data.Dispose();
            throw;
        }
        var server = new GcsEmulatorServer(application, data, plan);
        LogStarted(logger, server.Url, data.Path);
        return server;
    }

    /// <summary>Lets the requests under way end, for a few seconds, and closes the files.</summary>
    public async ValueTask DisposeAsync()
    {
        _plan.Dispose(); // whoever is stalled goes
        await _application.StopAsync();
        await _application.DisposeAsync();
        _data.Dispose();
    }

    private static WebApplication Build(GcsEmulatorOptions options, GcsEndpoint endpoint)
    {
        // An empty builder reads no configuration: the settings of a host around this one must not reach it.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(options.LoggerFactory);
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, NoSignals>());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null; // an object may have terabytes
            kestrel.Limits.MinRequestBodyDataRate = null; // a stopped or slowed client is a case to test, not an attack
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestLineSize = 32 * 1024; // two names of 1024 bytes, all of them percent-encoded
            kestrel.ResponseHeaderEncodingSelector = _ => System.Text.Encoding.UTF8;
            kestrel.Listen(IPAddress.Loopback, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        var application = builder.Build();
        application.Run(endpoint.HandleAsync);
        return application;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "GCS emulator on {Url}, data in {DataDirectory}")]
    private static partial void LogStarted(ILogger logger, Uri url, string dataDirectory);

    /// <summary>In place of the one that stops an application on SIGTERM and Ctrl-C.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
