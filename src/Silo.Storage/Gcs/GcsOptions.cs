using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Gcs;

/// <summary>How the bucket is reached; configuration section <c>Gcs</c>.</summary>
public sealed class GcsOptions
{
    /// <summary>The bucket of heads and replicas. Also read from <c>GCS_BUCKET_NAME</c>.</summary>
    [Required(ErrorMessage = "Set Gcs:BucketName, or the environment variable GCS_BUCKET_NAME, to the name of the bucket.")]
    [RegularExpression("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", ErrorMessage = "Gcs:BucketName is no name of a bucket: 3 to 222 characters of a-z, 0-9, '.', '_' and '-'.")]
    public string BucketName { get; set; } = "";

    /// <summary>
    /// The emulator to use in place of Google, as <c>127.0.0.1:4443</c> or <c>http://127.0.0.1:4443</c>; null for Google. Also read from
    /// <c>STORAGE_EMULATOR_HOST</c>. No credentials are used with it.
    /// </summary>
    public Uri? EmulatorHost { get; set; }

    /// <summary>How long one try may take, from its start to the last byte of its answer. A body adds one second for each MiB of it; a streamed
    /// download may go on for longer as long as bytes come. 0.05 s to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:05:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a call that is repeated by itself may take in all. 0.05 s to 30 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:30:00")]
    public TimeSpan TotalTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long making a connection may take. 0.05 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How many times a call that changes nothing twice is repeated after 408, 429, 5xx or a failed connection. 0 to 10.</summary>
    [Range(0, 10)]
    public int Retries { get; set; } = 3;

    /// <summary>About how long the wait before the first repetition is; it doubles each time, with jitter. 1 ms to 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait before a repetition. With three of them a bucket that refuses connections is given up within 3 s. 1 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The largest object that is read into memory, in bytes. 1 KiB to 64 MiB.</summary>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxObjectBytes { get; set; } = 1024 * 1024;

    /// <summary>How much of a streamed upload is held in memory and sent at a time, in bytes; rounded down to 256 KiB. 256 KiB to 64 MiB.</summary>
    [Range(256 * 1024, 64 * 1024 * 1024)]
    public int UploadChunkBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>How many objects a page of a listing has at most. 1 to 1,000.</summary>
    [Range(1, 1000)]
    public int ListPageSize { get; set; } = 1000;
}

[OptionsValidator]
internal sealed partial class GcsOptionsValidator : IValidateOptions<GcsOptions>;
