using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Gcs;

/// <summary>Adds the bucket to a host.</summary>
public static class GcsServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="BucketClient"/> with the section <c>Gcs</c>, and with the environment names that users of the older system know:
    /// <c>GCS_BUCKET_NAME</c> and <c>STORAGE_EMULATOR_HOST</c> (with or without <c>http://</c>). The section wins over them.
    /// </summary>
    public static IServiceCollection AddGcsBucket(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<GcsOptions>, GcsOptionsValidator>());
        services.AddOptions<GcsOptions>()
            .Bind(configuration.GetSection("Gcs"))
            .Configure(options =>
            {
                if (string.IsNullOrEmpty(options.BucketName)) options.BucketName = configuration["GCS_BUCKET_NAME"] ?? "";
                options.EmulatorHost = EmulatorHost(configuration);
            })
            .ValidateOnStart();
        services.TryAddSingleton<BucketClient>();
        return services;
    }

    private static Uri? EmulatorHost(IConfiguration configuration)
    {
        const string Section = "Gcs:EmulatorHost", Environment = "STORAGE_EMULATOR_HOST";
        var name = string.IsNullOrWhiteSpace(configuration[Section]) ? Environment : Section;
        if (configuration[name]?.Trim() is not { Length: > 0 } text) return null;

        // Uri takes "127.0.0.1:4443" for a relative address and "localhost:4443" for one of the scheme "localhost".
        if (!text.Contains("://", StringComparison.Ordinal)) text = "http://" + text;
        if (Uri.TryCreate(text, UriKind.Absolute, out var host) && host.Scheme is "http" or "https") return new Uri(host.GetLeftPart(UriPartial.Authority));
        throw new OptionsValidationException(
            Options.DefaultName, typeof(GcsOptions), [$"{name} is '{text}', which is no address. Give it as 127.0.0.1:4443 or http://127.0.0.1:4443."]);
    }
}
