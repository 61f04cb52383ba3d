using Microsoft.Extensions.Configuration.Memory;
using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.GcsEmulator;

namespace Silo.Standalone;

/// <summary>What makes gateway, silo and bucket one program: everything embedded, everything in one folder.</summary>
internal static class StandaloneHosting
{
    /// <summary>The organization that is there from the first start.</summary>
    public static readonly OrganizationId Demo = OrganizationId.Parse("demo");

    /// <summary>Sets what the other hosts must be told. Every setting of the user wins over these.</summary>
    public static void AddStandaloneDefaults(this WebApplicationBuilder builder, StandaloneFolder folder)
    {
        var defaults = new Dictionary<string, string?>
        {
            ["Database:DataDirectory"] = folder.Databases,
            ["ConnectionStrings:Catalog"] = folder.Catalog,
            ["Clustering:ClusterId"] = "standalone",
            ["Clustering:SiloPort"] = "0",
            ["Clustering:GatewayPort"] = "0",
            ["Logging:LogLevel:Default"] = "Warning",
            ["Logging:LogLevel:Silo"] = "Information",
            ["Logging:Console:FormatterName"] = "simple",
            ["Logging:Console:FormatterOptions:SingleLine"] = "true",
            ["Logging:Console:FormatterOptions:TimestampFormat"] = "HH:mm:ss ",
        };
        // In front of all other sources, so that each of them overrides it.
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = defaults });
        if (builder.Configuration.NeedsSigningKey()) builder.Configuration["Auth:SigningKey"] = folder.SigningKey();
    }

    /// <summary>Whether neither an authority nor a key was configured.</summary>
    public static bool NeedsSigningKey(this IConfiguration configuration) =>
        string.IsNullOrEmpty(configuration["Auth:Authority"]) && string.IsNullOrEmpty(configuration["Auth:SigningKey"]);

    /// <summary>Starts the bucket in this process and points silo and Litestream at it.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="folder">What keeps everything.</param>
    /// <param name="port">The bucket's; 0 is chosen by the system.</param>
    /// <param name="flush">Whether the bucket waits for the disk: a database outlives a power cut by what the bucket has.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<GcsEmulatorServer> StartBucketAsync(
        this WebApplicationBuilder builder, StandaloneFolder folder, int port, bool flush, CancellationToken cancellationToken)
    {
        var options = new GcsEmulatorOptions { Port = port, DataDirectory = folder.Bucket, FlushToDisk = flush };
        // A default only here: nobody should use the bucket of this name at Google by saying nothing.
        builder.Configuration["Gcs:BucketName"] ??= builder.Configuration["GCS_BUCKET_NAME"] ?? "silo";
        options.Buckets.Add(builder.Configuration["Gcs:BucketName"]!);
        var bucket = await GcsEmulatorServer.StartAsync(options, cancellationToken);
        // Not a default: a STORAGE_EMULATOR_HOST of the shell means another one.
        builder.Configuration["Gcs:EmulatorHost"] = bucket.Url.Authority;
        return bucket;
    }

    /// <summary>Adds the organization of the printed token, unless it is there.</summary>
    public static async Task AddDemoOrganizationAsync(this IServiceProvider services, CancellationToken cancellationToken)
    {
        var catalog = services.GetRequiredService<IGrainFactory>().GetGrain<ICatalogGrain>(0);
        if (await catalog.GetOrganization(Demo, cancellationToken) is not null) return;
        await catalog.CreateOrganization(new NewOrganization(Demo, "Demo", OrganizationDbType.Sqlite, null, null), cancellationToken);
    }
}
