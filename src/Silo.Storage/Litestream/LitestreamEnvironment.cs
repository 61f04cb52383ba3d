using System.Diagnostics;
using System.Globalization;
using Silo.Storage.Gcs;

namespace Silo.Storage.Litestream;

/// <summary>How Litestream reaches the bucket. It gets these variables and, of ours, only what Google's credentials need.</summary>
/// <param name="gcs">The bucket.</param>
public sealed class LitestreamEnvironment(GcsOptions gcs)
{
    /// <summary>What Google's Go library and the processes themselves look at; every other variable of ours stays ours.</summary>
    private static readonly string[] PassedOn =
        ["PATH", "HOME", "TMPDIR", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST",
         "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];

    /// <summary>The bucket's name.</summary>
    public string BucketName => gcs.BucketName;

    /// <summary>Sets a process's environment.</summary>
    public void ApplyTo(ProcessStartInfo start, LitestreamOptions options)
    {
        start.Environment.Clear();
        foreach (var name in PassedOn)
        {
            if (Environment.GetEnvironmentVariable(name) is { } value) start.Environment[name] = value;
        }
        start.Environment["GCS_BUCKET_NAME"] = gcs.BucketName;
        if (gcs.EmulatorHost is { } emulator) start.Environment["STORAGE_EMULATOR_HOST"] = emulator.Authority;
        start.Environment["GOMAXPROCS"] = options.GoMaxProcs.ToString(CultureInfo.InvariantCulture);
        start.Environment["GOGC"] = options.GoGarbagePercent.ToString(CultureInfo.InvariantCulture);
        if (options.GoMemoryLimitMiB > 0) start.Environment["GOMEMLIMIT"] = $"{options.GoMemoryLimitMiB}MiB";
    }
}
